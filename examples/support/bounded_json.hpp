// How is JSON read that somebody else wrote? Within bounds: a length, and a depth. nlohmann's parser itself does not recurse, but copying
// and printing what it made does, so that a text of a million brackets would end the program.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace support {

struct json_limits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t depth = 64;
};

/// How deep lists and objects lie inside of one another. What is no JSON has some depth, too: no less than a parser goes before it stops.
inline std::size_t json_depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = ++depth > deepest ? depth : deepest;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

/// The value that `text` says; a discarded one where it is no JSON. Throws crispnas::error where it is beyond the limits.
inline nlohmann::json parse_bounded_json(std::string_view text, const std::string& name,
                                         const json_limits& limits = {}) {
  if (text.size() > limits.bytes) {
    throw crispnas::error(name + ": " + std::to_string(text.size()) + " bytes of JSON are more than the " +
                          std::to_string(limits.bytes) + " that are accepted.");
  }
  if (json_depth(text) > limits.depth) {
    throw crispnas::error(name + ": lists and objects lie more than " + std::to_string(limits.depth) +
                          " deep in one another.");
  }
  return nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
}

/// All of a regular file of at most `limit` bytes. Throws crispnas::error.
inline std::string read_bounded_text(const std::filesystem::path& path, std::size_t limit) {
  const std::string name = "'" + path.string() + "'";
  std::error_code code;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, code)) file.open(path, std::ios::binary | std::ios::ate);
  if (!file.is_open()) throw crispnas::error(name + " is no file that can be read.");
  const auto bytes = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  if (bytes > limit) {
    throw crispnas::error(name + " has " + std::to_string(bytes) + " bytes, more than the " +
                          std::to_string(limit) + " that are accepted here.");
  }
  std::string text(static_cast<std::size_t>(bytes), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace support
