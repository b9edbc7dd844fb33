// How is a file written so that a crash leaves the old one or the new one, never half of one? Into a
// temporary in the same folder, every write checked, to the disk, read back, renamed, the folder to the disk.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/file_calls.hpp>
#include <crispnas/io/sha256.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace crispnas {

/// A file that exists only after commit(). Throws crispnas::error that names the file and the reason; until
/// then what was there is untouched. Where a file is replaced, the new one keeps its permissions (not its owner,
/// nor hard links: those go on showing the old bytes); where `target` is a symbolic link, the file that it leads
/// to is replaced, and the link stays.
class atomic_file {
 public:
  /// `bytes`: how many will be written, so that a full disk is told before.
  atomic_file(const std::filesystem::path& target, std::uint64_t bytes, file_calls& calls = system_files())
      : calls_(calls), target_(target), planned_(bytes) {
    std::error_code code;
    if (std::filesystem::is_symlink(std::filesystem::symlink_status(target_, code))) {
      const auto linked = std::filesystem::canonical(target_, code);
      if (code) fail("it is a symbolic link that leads nowhere", 0);
      target_ = linked;
    }
    folder_ = target_.parent_path().empty() ? std::filesystem::path(".") : target_.parent_path();
    const auto status = std::filesystem::status(target_, code);
    if (std::filesystem::is_directory(status)) fail("it is a folder. Name a file", 0);
    // Renaming would put a file in the place of a device.
    const bool replaces = std::filesystem::exists(status);
    if (replaces && !std::filesystem::is_regular_file(status)) fail("it is a device or a pipe", 0);
    std::uint64_t room = 0;
    if (calls_.free_bytes(folder_.c_str(), room) == 0 && room < bytes) {
      throw error("file '" + target_.string() + "' cannot be written: it needs " + bytes_text(bytes) +
                  ", but " + bytes_text(room) + " are free there.");
    }
    make_temporary();
    if (!replaces) return;
    const auto mode = static_cast<unsigned>(status.permissions() & std::filesystem::perms::mask);
    if (calls_.fchmod(file_->get(), mode) != 0) {
      const int reason = errno;
      discard();
      fail("its permissions cannot be given to a new file", reason);
    }
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() { discard(); }

  void write(const void* data, std::size_t bytes) {
    const std::string_view part(static_cast<const char*>(data), bytes);
    digest_.add(part);
    written_ += bytes;
    if (!detail::write_all(calls_, file_->get(), part)) fail("writing failed", errno);
  }

  /// Makes the file appear under its name, in place of what was there. An error that comes after this has
  /// happened says so.
  file_facts commit() {
    if (!file_->sync())
      fail("it did not reach the disk", errno);  // no second try: the kernel forgets the lost pages
    if (!file_->close()) fail("closing failed", errno);
    file_facts facts{written_, digest_.hex()};
    check_what_is_there(facts);
    if (calls_.rename(temporary_.c_str(), target_.c_str()) != 0) fail("renaming failed", errno);
    temporary_.clear();
    if (!detail::sync_folder(calls_, folder_)) {
      const int reason = errno;
      throw error("file '" + target_.string() + "' was written, but its folder did not reach the disk" +
                  detail::because(reason) + ": after a loss of power what was there before may be back" +
                  wanted_room(reason) + ".");
    }
    return facts;
  }

 private:
  void make_temporary() {
    const std::string stem = ".tmp-" + std::to_string(::getpid()) + "-";
    constexpr int tries = 1000;
    for (int i = 0; i < tries; ++i) {
      temporary_ = folder_ / (stem + std::to_string(i));
      file_.emplace(calls_, temporary_, O_WRONLY | O_CREAT | O_EXCL);
      if (*file_) return;
      if (errno != EEXIST) break;
    }
    const int reason = errno;
    temporary_.clear();
    fail("a temporary file in its folder cannot be made", reason);
  }

  void check_what_is_there(const file_facts& facts) const {
    const detail::descriptor file(calls_, temporary_, O_RDONLY);
    if (!file) fail("it cannot be read back", errno);
    const auto found = detail::read_all(calls_, file.get(), [](std::string_view) { return true; });
    if (!found) fail("it cannot be read back", errno);
    if (*found != facts) fail("what was read back is not what was written", 0);
  }

  void discard() {
    file_.reset();
    if (!temporary_.empty()) calls_.unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::string wanted_room(int reason) const {
    return detail::wanted_room(calls_, folder_, bytes_text(planned_), reason);
  }

  [[noreturn]] void fail(const std::string& what, int reason) const {
    throw error("file '" + target_.string() + "' cannot be written: " + what + detail::because(reason) +
                wanted_room(reason) + ".");
  }

  file_calls& calls_;
  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path temporary_;
  std::optional<detail::descriptor> file_;
  std::uint64_t planned_ = 0;
  std::uint64_t written_ = 0;
  sha256 digest_;
};

/// Writes a whole text; see atomic_file.
inline file_facts write_text(const std::filesystem::path& path, std::string_view text,
                             file_calls& calls = system_files()) {
  atomic_file file(path, text.size(), calls);
  file.write(text.data(), text.size());
  return file.commit();
}

}  // namespace crispnas
