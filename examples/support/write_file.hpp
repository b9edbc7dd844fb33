// How does a program write a text file? Whole or not at all.
#pragma once

#include <crispnas/io/atomic_file.hpp>
#include <filesystem>
#include <string>

namespace support {

/// Writes a whole file; throws crispnas::error when it cannot, and what was there is then untouched.
inline void write_file(const std::filesystem::path& path, const std::string& text) {
  crispnas::write_text(path, text);
}

}  // namespace support
