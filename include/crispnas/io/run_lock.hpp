// Is somebody else writing here? A lock (flock) on a file in the folder, which the system lets go when the
// process ends, however it ends.
#pragma once

#include <cerrno>
#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/file_calls.hpp>
#include <filesystem>
#include <string>

namespace crispnas {

/// Held while it lives. Throws crispnas::error where another process, or another lock of this one, holds it.
class run_lock {
 public:
  explicit run_lock(const std::filesystem::path& folder, file_calls& calls = system_files())
      : file_(calls, folder / ".lock", O_RDWR | O_CREAT) {
    const std::string name = "folder '" + folder.string() + "'";
    if (!file_) {
      const int reason = errno;
      const std::string room = detail::wanted_room(calls, folder, "a new file", reason);
      throw error(name + " cannot be locked" + detail::because(reason) +
                  (room.empty() ? ". Check its permissions." : room + "."));
    }
    if (detail::uninterrupted([&] { return calls.flock(file_.get(), LOCK_EX | LOCK_NB); }) == 0) return;
    if (errno == EWOULDBLOCK) {
      throw error(
          name +
          " is in use: another run is writing its checkpoints there. Wait for its end, or take another "
          "folder.");
    }
    throw error(name + " cannot be locked" + detail::because(errno) +
                ". Take a folder on a file system that has locks.");
  }

 private:
  detail::descriptor file_;
};

}  // namespace crispnas
