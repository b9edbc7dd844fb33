// How is a data file opened? Checked first: a missing file, a folder, something without a size, or more than
// the caller can use is refused by name before a byte is allocated. Free of LibTorch.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace crispnas {

namespace detail {

/// "data/train.bin", in quotes.
inline std::string quoted(const std::filesystem::path& path) {
  std::ostringstream text;
  text << path;
  return text.str();
}

}  // namespace detail

/// The size in bytes of the regular file at `path`, at most `limit`. Throws `error` otherwise.
inline std::uint64_t data_file_size(const std::filesystem::path& path, std::uint64_t limit) {
  const std::string name = "data file " + detail::quoted(path);
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw error(name + " does not exist. Check the path.");
  }
  if (code) throw error(name + " cannot be examined: " + code.message() + ".");
  if (std::filesystem::is_directory(status)) {
    throw error(name + " is a folder. Name a file inside it.");
  }
  if (!std::filesystem::is_regular_file(status)) throw error(name + " is not a regular file.");
  const std::uint64_t size = std::filesystem::file_size(path, code);
  if (code) throw error(name + " cannot be examined: " + code.message() + ".");
  if (size > limit) {
    throw error(name + " has " + std::to_string(size) + " bytes, more than the " + std::to_string(limit) +
                " that are accepted here. Is it the right file?");
  }
  return size;
}

/// `path`, open for reading. Throws `error`.
inline std::ifstream open_data_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw error("data file " + detail::quoted(path) + " cannot be opened. Check its permissions.");
  return stream;
}

/// All bytes of the file at `path`, at most `limit`. Throws `error`.
inline std::vector<std::byte> read_data_file(const std::filesystem::path& path, std::uint64_t limit) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(data_file_size(path, limit)));
  auto stream = open_data_file(path);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<std::size_t>(stream.gcount()) != bytes.size()) {
    throw error("data file " + detail::quoted(path) + " ended after " + std::to_string(stream.gcount()) +
                " of " + std::to_string(bytes.size()) + " bytes. Is something still writing it?");
  }
  return bytes;
}

}  // namespace crispnas
