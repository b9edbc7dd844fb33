// How does a program write a text file?
#pragma once

#include <crispnas/error.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace support {

/// Writes a whole file; throws crispnas::error when it cannot.
inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  if (!file)
    throw crispnas::error("'" + path.string() + "' cannot be written. Check free space and permissions.");
}

}  // namespace support
