// What has a process that was killed left in a folder of results? Temporaries of files that appear whole or not at all.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace support {

/// The process that a temporary of crispnas::atomic_file belongs to: .tmp-PID-N.
inline std::optional<pid_t> owner_of_temporary(std::string_view name) {
  constexpr std::string_view stem = ".tmp-";
  if (!name.starts_with(stem)) return std::nullopt;
  const char* const end = name.data() + name.size();
  pid_t owner = 0;
  const auto process = std::from_chars(name.data() + stem.size(), end, owner);
  if (process.ec != std::errc() || owner <= 0 || process.ptr == end || *process.ptr != '-')
    return std::nullopt;
  unsigned number = 0;
  const auto rest = std::from_chars(process.ptr + 1, end, number);
  if (rest.ec != std::errc() || rest.ptr != end) return std::nullopt;
  return owner;
}

/// Removes the temporaries of processes that do not live. To be called before this process writes to the folder: those of its own
/// number are then another one's, as in containers, where a program tends to get the same number each time.
inline void remove_leftovers(const std::filesystem::path& folder) {
  std::error_code ignored;  // what cannot be removed costs only room
  for (std::filesystem::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
    const auto owner = owner_of_temporary(at->path().filename().native());
    if (!owner || !std::filesystem::is_regular_file(at->symlink_status(ignored))) continue;
    if (*owner == ::getpid() || (::kill(*owner, 0) != 0 && errno == ESRCH)) ::unlink(at->path().c_str());
  }
}

}  // namespace support
