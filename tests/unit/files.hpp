// Files that a test makes and leaves no trace of, and the message that an expression throws.
#pragma once

#include <unistd.h>

#include <crispnas/error.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "doctest.hpp"

namespace tests {

/// A new folder that is removed, with all that is in it, at the end of the scope.
class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "crispnas-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    auto file = path_ / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// What the crispnas::error thrown by `body` says; empty if it throws none.
template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const crispnas::error& e) {
    return e.what();
  }
  return {};
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tests

/// The message holds the part; on failure both are shown.
#define CHECK_SAYS(message, part)                                                            \
  do {                                                                                       \
    const std::string said_ = (message); /* NOLINT: a copy, for it may lie in a temporary */ \
    CAPTURE(said_);                                                                          \
    CHECK(tests::contains(said_, (part)));                                                   \
  } while (false)
