// What is left of a cell in a folder: its text in every dialect, a C++ header, pictures.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/cpp_header.hpp>
#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/text.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "write_file.hpp"

namespace support {

namespace cn = crispnas;
/// JSON as a file has it; bytes of users' names that are no text are replaced.
inline std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// The genotype in every dialect; where one cannot say it, null, and why under `cannot`.
inline nlohmann::json dialects_json(const cn::genotype& found) {
  nlohmann::json dialects, cannot = nlohmann::json::object();
  for (std::size_t i = 0; i < cn::dialect_names.size(); ++i) {
    const auto dialect = static_cast<cn::dialect>(i);
    const std::string name(cn::name_of(dialect));
    if (const std::string why = cn::why_not(found, dialect); why.empty()) {
      dialects[name] = cn::to_text(found, dialect);
    } else {
      dialects[name] = nullptr;
      cannot[name] = why;
    }
  }
  return {{"genotype", cn::to_text(found)}, {"dialects", dialects}, {"cannot", cannot}};
}

/// genotype.txt, genotype.json (every dialect), NAME.hpp, normal.svg, normal.dot and those of the reduction cell.
inline void write_cell_files(const std::filesystem::path& out, const cn::genotype& found,
                             const std::string& name = "found") {
  write_file(out / "genotype.txt", cn::to_text(found) + "\n");
  write_file(out / "genotype.json", json_text(dialects_json(found)));
  write_file(out / (name + ".hpp"), cn::to_cpp_header(found, name));
  write_file(out / "normal.svg", cn::to_svg(found.normal));
  write_file(out / "normal.dot", cn::to_dot(found.normal));
  if (!found.has_reduction) return;
  write_file(out / "reduction.svg", cn::to_svg(found.reduction));
  write_file(out / "reduction.dot", cn::to_dot(found.reduction));
}

}  // namespace support
