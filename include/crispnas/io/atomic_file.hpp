// How is a file written so that a crash leaves the old one or the new one, never half of one? Into a
// temporary in the same folder, every write checked, to the disk, read back, renamed, the folder to the disk.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace crispnas {

/// A file that exists only after commit(); it takes the permissions of the one that it replaces, and the place of the one that a
/// link names. Throws crispnas::error that names the file and the reason. POSIX.
class atomic_file {
 public:
  /// `bytes`: how many will be written, so that a full disk is told before.
  atomic_file(std::filesystem::path target, std::uint64_t bytes) : target_(std::move(target)) {
    std::error_code code;
    // A link stays one: the file that it names is replaced.
    if (std::filesystem::is_symlink(std::filesystem::symlink_status(target_, code))) {
      const auto named = std::filesystem::weakly_canonical(target_, code);
      if (!code) target_ = named;
    }
    folder_ = target_.parent_path().empty() ? std::filesystem::path(".") : target_.parent_path();
    const auto status = std::filesystem::status(target_, code);
    if (std::filesystem::is_directory(status)) fail("it is a folder. Name a file", 0);
    // Renaming would put a file in the place of a device.
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      fail("it is a device or a pipe", 0);
    const auto room = std::filesystem::space(folder_, code);
    if (!code && room.available < bytes) {
      throw error("file '" + target_.string() + "' cannot be written: it needs " + std::to_string(bytes) +
                  " bytes, but " + std::to_string(room.available) + " are free there.");
    }
    const std::string stem = ".tmp-" + std::to_string(::getpid()) + "-";
    constexpr int tries = 1000;
    for (int i = 0; i < tries && file_ < 0; ++i) {
      temporary_ = folder_ / (stem + std::to_string(i));
      file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file_ < 0 && errno != EEXIST && errno != EINTR) break;
    }
    if (file_ < 0) {
      const int reason = errno;
      temporary_.clear();
      fail("a temporary file in its folder cannot be made", reason);
    }
    if (std::filesystem::exists(status)) {  // who may read it stays as it was
      std::filesystem::permissions(temporary_, status.permissions(), code);
      if (code) {
        ::close(file_);
        ::unlink(temporary_.c_str());
        fail("its permissions cannot be kept", code.value());
      }
    }
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (file_ >= 0) ::close(file_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(const void* data, std::size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    checksum_ = mixed(checksum_, {from, bytes});
    while (bytes > 0) {
      const auto written = ::write(file_, from, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("writing failed", errno);
      from += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }

  /// Makes the file appear under its name, in place of what was there.
  void commit() {
    if (::fsync(file_) != 0)
      fail("it did not reach the disk", errno);  // no second try: the kernel forgets the lost pages
    const int closed = ::close(file_);
    file_ = -1;
    if (closed != 0) fail("closing failed", errno);
    if (checksum_on_disk() != checksum_) fail("what was read back is not what was written", 0);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("renaming failed", errno);
    temporary_.clear();
    // The new file stands there now, so nothing that comes may say that it does not: a folder that cannot be read, or that its file
    // system does not sync, leaves only the moment open at which the name reaches the disk.
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    (void)::fsync(folder);
    ::close(folder);
  }

 private:
  [[noreturn]] void fail(const std::string& what, int reason) const {
    throw error("file '" + target_.string() + "' cannot be written: " + what +
                (reason == 0 ? "." : std::string(" (") + std::strerror(reason) + ")."));
  }

  /// FNV-1a, 64 bits.
  static std::uint64_t mixed(std::uint64_t sum, std::string_view bytes) {
    for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return sum;
  }

  std::uint64_t checksum_on_disk() const {
    const int file = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("it cannot be read back", errno);
    std::vector<char> buffer(std::size_t{1} << 16);
    std::uint64_t sum = first_checksum;
    while (true) {
      const auto got = ::read(file, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        const int reason = errno;
        ::close(file);
        fail("it cannot be read back", reason);
      }
      if (got == 0) break;
      sum = mixed(sum, {buffer.data(), static_cast<std::size_t>(got)});
    }
    ::close(file);
    return sum;
  }

  static constexpr std::uint64_t first_checksum = 14695981039346656037ULL;
  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path temporary_;
  int file_ = -1;
  std::uint64_t checksum_ = first_checksum;
};

}  // namespace crispnas
