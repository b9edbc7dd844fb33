// How is a file written that grows with a run? Piece by piece, each in the system's hands when write() returns; what goes wrong says which
// file, why, and how much room there is.
#pragma once

#include <cerrno>
#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/file_calls.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace support {

class growing_file {
 public:
  /// Begins the file; or, where it `goes_on`, writes behind what is there. Throws crispnas::error, as write() does.
  growing_file(std::filesystem::path path, bool goes_on)
      : path_(std::move(path)),
        file_(crispnas::system_files(), path_, O_WRONLY | O_CREAT | O_APPEND | (goes_on ? 0 : O_TRUNC)) {
    if (!file_) fail(errno);
  }

  void write(std::string_view text) {
    if (!crispnas::detail::write_all(crispnas::system_files(), file_.get(), text)) fail(errno);
  }
  bool empty() const {
    std::error_code code;
    return std::filesystem::file_size(path_, code) == 0;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(int reason) const {
    std::string text = "file '" + path_.string() + "' cannot be written" + crispnas::detail::because(reason);
    const auto folder = path_.parent_path().empty() ? std::filesystem::path(".") : path_.parent_path();
    std::uint64_t room = 0;
    const bool no_room = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    if (no_room && crispnas::system_files().free_bytes(folder.c_str(), room) == 0)
      text += "; free there: " + crispnas::bytes_text(room);
    throw crispnas::error(text + ".");
  }

  std::filesystem::path path_;
  crispnas::detail::descriptor file_;
};

}  // namespace support
