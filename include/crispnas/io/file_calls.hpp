// Which calls of the system does saving make? These. They are virtual, so that a test can let any of them fail
// (POSIX; the standard library cannot tell whether a file has reached the disk).
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace crispnas {

/// Each returns what the call of that name returns, and leaves errno.
class file_calls {
 public:
  file_calls() = default;
  file_calls(const file_calls&) = delete;
  file_calls& operator=(const file_calls&) = delete;
  virtual ~file_calls() = default;

  virtual int open(const char* path, int flags, unsigned mode) { return ::open(path, flags, mode); }
  virtual std::ptrdiff_t read(int file, void* to, std::size_t bytes) { return ::read(file, to, bytes); }
  virtual std::ptrdiff_t write(int file, const void* from, std::size_t bytes) {
    return ::write(file, from, bytes);
  }
  /// fstat: the bytes of a regular file; -1 of anything else.
  virtual std::int64_t length(int file) {
    struct stat facts {};  // of nothing, where they cannot be had
    static_cast<void>(::fstat(file, &facts));
    return S_ISREG(facts.st_mode) ? facts.st_size : -1;
  }
  virtual int fsync(int file) { return ::fsync(file); }
  virtual int close(int file) { return ::close(file); }
  virtual int fchmod(int file, unsigned mode) { return ::fchmod(file, mode); }
  virtual int rename(const char* from, const char* to) { return ::rename(from, to); }
  virtual int unlink(const char* path) { return ::unlink(path); }
  virtual int mkdir(const char* path, unsigned mode) { return ::mkdir(path, mode); }
  virtual int rmdir(const char* path) { return ::rmdir(path); }
  virtual int flock(int file, int operation) { return ::flock(file, operation); }
  virtual int truncate(const char* path, std::int64_t bytes) { return ::truncate(path, bytes); }
  /// statvfs: the bytes that a user without privileges can still write at `path`.
  virtual int free_bytes(const char* path, std::uint64_t& bytes) {
    struct statvfs facts {};
    const int result = ::statvfs(path, &facts);
    if (result == 0) bytes = std::uint64_t{facts.f_bavail} * facts.f_frsize;
    return result;
  }
};

/// The calls as they are.
inline file_calls& system_files() {
  static file_calls calls;
  return calls;
}

namespace detail {

/// A call again while a signal interrupts it.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace detail

}  // namespace crispnas
