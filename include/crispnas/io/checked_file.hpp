// What is done with an open file: all bytes written, all bytes hashed, a folder brought to the disk. Every call
// is checked; interrupted ones are repeated, short ones go on.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/io/file_calls.hpp>
#include <crispnas/io/sha256.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace crispnas {

/// How long a file is, and what is in it.
struct file_facts {
  std::uint64_t bytes = 0;
  std::string sha256;
  bool operator==(const file_facts&) const = default;
};

/// "40.0 MiB", "312 bytes".
inline std::string bytes_text(std::uint64_t bytes) {
  constexpr std::uint64_t kibi = 1024;
  if (bytes < kibi) return std::to_string(bytes) + " bytes";
  auto size = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (size < 1024.0) break;
    size /= 1024.0;
    unit = next;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", size, unit);
  return text;
}

namespace detail {

/// " (No space left on device)"; nothing for 0.
inline std::string because(int reason) {
  return reason == 0 ? std::string() : std::string(" (") + std::strerror(reason) + ")";
}

/// ". It needs 3 bytes; free there: 40 bytes" where a call failed for want of room (on the disk, in a quota, in a file); else nothing.
inline std::string wanted_room(file_calls& calls, const std::filesystem::path& folder,
                               const std::string& need, int reason) {
  if (reason != ENOSPC && reason != EDQUOT && reason != EFBIG) return {};
  std::uint64_t room = 0;
  const bool known = calls.free_bytes(folder.c_str(), room) == 0;
  return ". It needs " + need + (known ? "; free there: " + bytes_text(room) : std::string());
}

/// An open file that is closed at the end of the scope.
class descriptor {
 public:
  descriptor(file_calls& calls, const std::filesystem::path& path, int flags, unsigned mode = 0666)
      : calls_(&calls) {
    file_ = uninterrupted([&] { return calls.open(path.c_str(), flags | O_CLOEXEC, mode); });
  }
  descriptor(descriptor&& other) noexcept : calls_(other.calls_), file_(std::exchange(other.file_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~descriptor() {
    if (file_ >= 0) calls_->close(file_);
  }
  explicit operator bool() const { return file_ >= 0; }
  int get() const { return file_; }
  /// Whether closing went well. An interrupted close has closed: the number may already belong to someone else.
  bool close() { return calls_->close(std::exchange(file_, -1)) == 0 || errno == EINTR; }
  bool sync() const {
    return uninterrupted([&] { return calls_->fsync(file_); }) == 0;
  }

 private:
  file_calls* calls_;
  int file_ = -1;
};

/// Whether all bytes were written; errno says why not.
inline bool write_all(file_calls& calls, int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = uninterrupted([&] { return calls.write(file, bytes.data(), bytes.size()); });
    if (written < 0) return false;
    if (written == 0) {
      errno = EIO;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// Length and digest of the rest of an open file, given to `see` part by part; nothing where it cannot be read.
template <class See>
std::optional<file_facts> read_all(file_calls& calls, int file, See&& see) {
  std::vector<char> buffer(std::size_t{1} << 16);
  sha256 digest;
  file_facts facts;
  while (true) {
    const auto got = uninterrupted([&] { return calls.read(file, buffer.data(), buffer.size()); });
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    const std::string_view part(buffer.data(), static_cast<std::size_t>(got));
    digest.add(part);
    facts.bytes += part.size();
    if (!see(part)) break;
  }
  facts.sha256 = digest.hex();
  return facts;
}

/// How long a file is, once its bytes have reached the disk; 0 where it is not there. Throws error.
inline std::uint64_t synced_bytes(file_calls& calls, const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return 0;
  const descriptor file(calls, path, O_RDONLY);
  const int reason = file && file.sync() ? 0 : errno;
  const auto bytes = std::filesystem::file_size(path, code);
  if (reason != 0) {
    throw error("file '" + path.string() + "' did not reach the disk" + because(reason) +
                wanted_room(calls, path, bytes_text(bytes), reason) + ".");
  }
  if (code) throw error("file '" + path.string() + "' cannot be examined: " + code.message() + ".");
  return bytes;
}

/// Whether the names in a folder have reached the disk. Some file systems have no sync of folders (EINVAL).
inline bool sync_folder(file_calls& calls, const std::filesystem::path& folder) {
  const descriptor open(calls, folder, O_RDONLY | O_DIRECTORY);
  return open && (open.sync() || errno == EINVAL);
}

}  // namespace detail

}  // namespace crispnas
