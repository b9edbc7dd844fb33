// How are numbers written for spreadsheets? As RFC 4180 says, with one header row; fields that need quotes
// get them.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

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
  /// Begins the file; or, where it `goes_on` and has rows, writes behind them.
  csv_writer(std::filesystem::path path, const std::vector<std::string>& columns, bool goes_on = false)
      : path_(std::move(path)),
        columns_(columns.size()),
        stream_(path_, std::ios::binary | (goes_on ? std::ios::app : std::ios::trunc)) {
    std::error_code code;
    if (!goes_on || std::filesystem::file_size(path_, code) == 0) row(columns);
  }

  /// Writes one row and flushes it, so that a run that is stopped leaves what it has. Throws crispnas::error.
  void row(const std::vector<std::string>& fields) {
    if (fields.size() != columns_) {
      throw crispnas::error("CSV: a row of " + std::to_string(fields.size()) + " fields for " +
                            std::to_string(columns_) + " columns.");
    }
    for (std::size_t i = 0; i < fields.size(); ++i) stream_ << (i == 0 ? "" : ",") << csv_field(fields[i]);
    if (!(stream_ << "\r\n" << std::flush)) {
      throw crispnas::error("CSV: '" + path_.string() +
                            "' cannot be written. Check the folder and the space on the disk.");
    }
  }

 private:
  std::filesystem::path path_;
  std::size_t columns_;
  std::ofstream stream_;
};

}  // namespace support
