// How is a data file opened? Checked first: a missing file, a folder, something without a size, or more than
// the caller can use is refused by name before a byte is allocated.
#pragma once

#include <c10/util/StringUtil.h>

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

namespace crispnas {

/// The size in bytes of the regular file at `path`, at most `limit`. Throws `error` otherwise.
inline std::uint64_t data_file_size(const std::filesystem::path& path, std::uint64_t limit) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw error(c10::str("data file ", path, " does not exist. Check the path."));
  }
  if (code) throw error(c10::str("data file ", path, " cannot be examined: ", code.message(), "."));
  if (std::filesystem::is_directory(status)) {
    throw error(c10::str("data file ", path, " is a folder. Name a file inside it."));
  }
  if (!std::filesystem::is_regular_file(status))
    throw error(c10::str("data file ", path, " is not a regular file."));
  const std::uint64_t size = std::filesystem::file_size(path, code);
  if (code) throw error(c10::str("data file ", path, " cannot be examined: ", code.message(), "."));
  if (size > limit) {
    throw error(c10::str("data file ", path, " has ", size, " bytes, more than the ", limit,
                         " that are accepted here. Is it the right file?"));
  }
  return size;
}

/// `path`, open for reading. Throws `error`.
inline std::ifstream open_data_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw error(c10::str("data file ", path, " cannot be opened. Check its permissions."));
  return stream;
}

/// All bytes of the file at `path`, at most `limit`. Throws `error`.
inline std::vector<std::byte> read_data_file(const std::filesystem::path& path, std::uint64_t limit) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(data_file_size(path, limit)));
  auto stream = open_data_file(path);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<std::size_t>(stream.gcount()) != bytes.size()) {
    throw error(c10::str("data file ", path, " ended after ", stream.gcount(), " of ", bytes.size(),
                         " bytes. Is something still writing it?"));
  }
  return bytes;
}

}  // namespace crispnas
