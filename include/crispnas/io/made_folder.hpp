// How is a folder made so that it is there after a loss of power? With every folder above it that is missing, and the name of each
// brought to the disk. Free of LibTorch.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/file_calls.hpp>
#include <filesystem>
#include <string>
#include <system_error>

namespace crispnas {

/// Does nothing where it is there. Throws crispnas::error that names the folder that cannot be made, or be brought to the disk.
inline void make_folder(const std::filesystem::path& folder, file_calls& calls = system_files()) {
  std::error_code code;
  if (std::filesystem::is_directory(folder, code)) return;
  const auto above = folder.has_parent_path() ? folder.parent_path() : std::filesystem::path(".");
  make_folder(above, calls);
  const auto fail = [&](const std::filesystem::path& which, const char* what, int reason) {
    throw error("folder '" + which.string() + "' " + what + detail::because(reason) +
                detail::wanted_room(calls, above, "a new folder", reason) + ".");
  };
  if (calls.mkdir(folder.c_str(), 0777) != 0) {
    const int reason = errno;
    // Somebody else may have made it in the meantime, and a name such as "run/." is there once "run" is.
    if (reason != EEXIST || !std::filesystem::is_directory(folder, code))
      fail(folder, "cannot be made", reason);
  }
  if (!detail::sync_folder(calls, above)) fail(above, "did not reach the disk", errno);
}

}  // namespace crispnas
