// The system's calls, one of which fails: SQLite's way to test what becomes of files. After an exit nothing happens
// any more; after a loss of power what was not brought to the disk is gone, too.
#pragma once

#include <algorithm>
#include <crispnas/io/file_calls.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tests {

enum class fault {
  none,
  io_error,     ///< EIO
  no_space,     ///< ENOSPC
  interrupted,  ///< EINTR, once
  short_count,  ///< a write or a read takes a half
  exit_before,  ///< the process ends before the call
  exit_after,   ///< and after it
};

class failing_files final : public crispnas::file_calls {
 public:
  /// The call of that number, from 1, meets the fault.
  failing_files(int number, fault what) : number_(number), fault_(what) {}

  int calls() const { return count_; }
  bool met() const { return count_ >= number_; }
  /// The process has ended: from here on every call does nothing.
  bool ended() const { return ended_; }
  const std::string& name_of_call() const { return name_; }

  int open(const char* path, int flags, unsigned mode) override {
    return call("open", [&] {
      const bool made = (flags & O_CREAT) != 0 && !std::filesystem::exists(path);
      const int file = file_calls::open(path, flags, mode);
      if (file >= 0) paths_[file] = path;
      if (file >= 0 && made) not_on_disk(path, [p = std::string(path)] { std::filesystem::remove(p); });
      return file;
    });
  }
  std::ptrdiff_t read(int file, void* to, std::size_t bytes) override {
    return counted("read", bytes, [&](std::size_t n) { return file_calls::read(file, to, n); });
  }
  std::ptrdiff_t write(int file, const void* from, std::size_t bytes) override {
    return counted("write", bytes, [&](std::size_t n) {
      std::error_code code;
      dirty_.emplace(paths_[file], std::filesystem::file_size(paths_[file], code));
      return file_calls::write(file, from, n);
    });
  }
  int fsync(int file) override {
    return call("fsync", [&] {
      const std::string path = paths_[file];
      dirty_.erase(path);
      std::erase_if(undo_, [&](const auto& u) { return u.first == path; });
      return 0;  // the disk of the test need not turn
    });
  }
  int close(int file) override {
    if (ended_) return file_calls::close(file);
    const int closed = call("close", [&] { return file_calls::close(file); });
    if (closed != 0 && paths_.contains(file) && what_ != fault::exit_after) {
      const int reason = errno;
      file_calls::close(file);
      errno = reason;
    }
    return closed;
  }
  int fchmod(int file, unsigned mode) override {
    return call("fchmod", [&] { return file_calls::fchmod(file, mode); });
  }
  int rename(const char* from, const char* to) override {
    return call("rename", [&] {
      const std::string old_name = from;
      const std::string new_name = to;
      const bool replaces = std::filesystem::is_regular_file(new_name);
      const std::string replaced = replaces ? bytes_of(new_name) : std::string();
      const int result = file_calls::rename(from, to);
      if (result != 0) return result;
      std::map<std::string, std::uintmax_t> moved;
      for (const auto& [path, bytes] : dirty_) {
        moved.emplace(path.starts_with(old_name) ? new_name + path.substr(old_name.size()) : path, bytes);
      }
      dirty_ = std::move(moved);
      not_on_disk(to, [=] {
        std::filesystem::rename(new_name, old_name);
        if (replaces) std::ofstream(new_name, std::ios::binary) << replaced;
      });
      return result;
    });
  }
  int unlink(const char* path) override {
    return call("unlink", [&] {
      const std::string name = path;
      const bool there = std::filesystem::is_regular_file(name);
      const std::string bytes = there ? bytes_of(name) : std::string();
      const int result = file_calls::unlink(path);
      if (result == 0) not_on_disk(path, [=] { std::ofstream(name, std::ios::binary) << bytes; });
      return result;
    });
  }
  int mkdir(const char* path, unsigned mode) override {
    return call("mkdir", [&] {
      const int result = file_calls::mkdir(path, mode);
      if (result == 0) not_on_disk(path, [p = std::string(path)] { std::filesystem::remove_all(p); });
      return result;
    });
  }
  int rmdir(const char* path) override {
    return call("rmdir", [&] {
      const int result = file_calls::rmdir(path);
      if (result == 0) not_on_disk(path, [p = std::string(path)] { std::filesystem::create_directory(p); });
      return result;
    });
  }
  int flock(int file, int operation) override {
    return call("flock", [&] { return file_calls::flock(file, operation); });
  }
  int truncate(const char* path, std::int64_t bytes) override {
    return call("truncate", [&] { return file_calls::truncate(path, bytes); });
  }
  int free_bytes(const char* path, std::uint64_t& bytes) override {
    return call("statvfs", [&] { return file_calls::free_bytes(path, bytes); });
  }

  /// What no fsync has confirmed is lost: half of the bytes that were added to a file, changes of names altogether.
  void lose_power() {
    for (const auto& [path, bytes] : dirty_) {
      std::error_code code;
      const auto size = std::filesystem::file_size(path, code);
      if (!code && size > bytes) std::filesystem::resize_file(path, bytes + (size - bytes) / 2);
    }
    for (; !undo_.empty(); undo_.pop_back()) undo_.back().second();
    dirty_.clear();
  }

 private:
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void not_on_disk(const char* path, std::function<void()> undo) {
    undo_.emplace_back(std::filesystem::path(path).parent_path().string(), std::move(undo));
  }

  template <class Body>
  std::ptrdiff_t counted(const char* name, std::size_t bytes, Body&& body) {
    const bool halved = count_ + 1 == number_ && fault_ == fault::short_count && bytes > 1;
    return call(name, [&] { return body(halved ? bytes / 2 : bytes); });
  }

  template <class Body>
  auto call(const char* name, Body&& body) -> decltype(body()) {
    what_ = fault::none;
    if (ended_) {
      errno = EIO;
      return -1;
    }
    if (++count_ != number_) return body();
    name_ = name;
    what_ = fault_;
    switch (fault_) {
      case fault::io_error:
        errno = EIO;
        return -1;
      case fault::no_space:
        errno = ENOSPC;
        return -1;
      case fault::interrupted:
        errno = EINTR;
        return -1;
      case fault::exit_after:
        body();
        [[fallthrough]];
      case fault::exit_before:
        ended_ = true;
        errno = EIO;
        return -1;
      case fault::none:
      case fault::short_count:
        break;
    }
    return body();
  }

  int number_;
  fault fault_;
  fault what_ = fault::none;  ///< that this very call has met
  int count_ = 0;
  bool ended_ = false;
  std::string name_;
  std::map<int, std::string> paths_;
  std::map<std::string, std::uintmax_t> dirty_;  ///< with how many bytes of it are on the disk
  std::vector<std::pair<std::string, std::function<void()>>> undo_;  ///< folder, and how its change is undone
};

}  // namespace tests
