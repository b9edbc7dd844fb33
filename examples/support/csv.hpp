// How are numbers written for spreadsheets? As RFC 4180 says, with one header row; fields that need quotes
// get them.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "growing_file.hpp"

namespace support {

/// The field, in quotes if it holds a comma, a quote or a line break.
inline std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

class csv_writer {
 public:
  /// Begins the file; or, where it `goes_on` and has rows, writes behind them. Throws crispnas::error, as row() does.
  csv_writer(std::filesystem::path path, const std::vector<std::string>& columns, bool goes_on = false)
      : columns_(columns.size()), file_(std::move(path), goes_on) {
    if (!goes_on || file_.empty()) row(columns);
  }

  /// Writes one row, so that a run that is stopped leaves what it has.
  void row(const std::vector<std::string>& fields) {
    if (fields.size() != columns_) {
      throw crispnas::error("CSV: a row of " + std::to_string(fields.size()) + " fields for " +
                            std::to_string(columns_) + " columns.");
    }
    std::string line;
    for (std::size_t i = 0; i < fields.size(); ++i) line += (i == 0 ? "" : ",") + csv_field(fields[i]);
    file_.write(line + "\r\n");
  }

 private:
  std::size_t columns_;
  growing_file file_;
};

}  // namespace support
