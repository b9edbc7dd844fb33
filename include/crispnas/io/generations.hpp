// Which checkpoints are in a folder, and which of them hold? Each is a folder of its own, ckpt-000123, that
// appears whole by one rename; it is checked against its manifest before a byte of it is used. Free of LibTorch.
#pragma once

#include <algorithm>
#include <charconv>
#include <crispnas/error.hpp>
#include <crispnas/io/atomic_file.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/manifest.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace crispnas {

/// ckpt-000123
inline std::string generation_name(std::uint64_t number) {
  constexpr std::size_t digits = 6;
  std::string text = std::to_string(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return "ckpt-" + text;
}

class generations {
 public:
  explicit generations(std::filesystem::path folder, file_calls& calls = system_files())
      : calls_(&calls), folder_(std::move(folder)) {}

  std::filesystem::path path_of(std::uint64_t number) const { return folder_ / generation_name(number); }

  /// What is there, newest first, valid or not. Throws crispnas::error where the folder cannot be listed.
  std::vector<std::uint64_t> numbers() const {
    std::vector<std::uint64_t> all;
    for (const auto& name : names()) {
      if (const auto number = number_of(name)) all.push_back(*number);
    }
    std::sort(all.rbegin(), all.rend());
    return all;
  }

  /// The manifest of a generation all of whose files are as it says. Throws crispnas::error that says what is not.
  checkpoint_manifest checked(std::uint64_t number) const { return checked_with(number, {}).manifest; }

  /// A manifest that holds, and the bytes of one of its files.
  struct checked_file {
    checkpoint_manifest manifest;
    std::optional<std::string> bytes;  ///< nothing where the manifest does not name the file
  };

  /// The same with the bytes of the file `name`: the very bytes that were checked, whatever is put in their place afterwards. One that
  /// has more than `most` is not read.
  checked_file checked_with(std::uint64_t number, std::string_view name,
                            std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const {
    const auto folder = path_of(number);
    const std::string text = read_manifest(folder / manifest_name);
    checkpoint_manifest manifest = parse_manifest(text);
    if (manifest.generation != number) {
      throw error("it is generation " + std::to_string(manifest.generation) + " under another name.");
    }
    std::optional<std::string> bytes;
    for (const auto& file : manifest.files) {
      if (file.name == name) {
        if (file.bytes > most)
          throw error("its file '" + file.name + "' is to have " + std::to_string(file.bytes) +
                      " bytes, and " + std::to_string(most) + " are the most that are read.");
        bytes.emplace();
      }
      check_file(folder, file, file.name == name ? &*bytes : nullptr);
    }
    return {std::move(manifest), std::move(bytes)};
  }

  /// Writes a generation: `fill` writes its files into the folder that it is given and returns what they are.
  /// Everything is on the disk, the manifest last, before the name appears. `bytes`: about as much as it will take, for the
  /// message where there is no room for it.
  void write(
      checkpoint_manifest manifest, std::uint64_t bytes,
      const std::function<std::vector<checkpoint_manifest::file>(const std::filesystem::path&)>& fill) {
    const auto target = path_of(manifest.generation);
    const auto temporary = folder_ / (".tmp-" + generation_name(manifest.generation));
    discard(temporary);  // what a save that failed could not remove
    if (calls_->mkdir(temporary.c_str(), 0777) != 0) fail(target, "its folder cannot be made", bytes, errno);
    try {
      manifest.files = fill(temporary);
      write_text(temporary / manifest_name, manifest_text(manifest), *calls_);
      if (calls_->rename(temporary.c_str(), target.c_str()) != 0)
        fail(target, "renaming failed", bytes, errno);
    } catch (...) {
      discard(temporary);
      throw;
    }
    if (!detail::sync_folder(*calls_, folder_)) {
      const int reason = errno;
      throw error("checkpoint '" + target.string() + "' was written, but its folder did not reach the disk" +
                  detail::because(reason) + ": after a loss of power it may be gone" +
                  detail::wanted_room(*calls_, folder_, bytes_text(bytes), reason) + ".");
    }
  }

  /// Removes a generation: its name first, so that half of one is never found. Says whether all went well.
  bool remove(std::uint64_t number) {
    const auto aside = folder_ / (".tmp-old-" + generation_name(number));
    discard(aside);
    return calls_->rename(path_of(number).c_str(), aside.c_str()) == 0 && discard(aside);
  }

  /// Removes what saves that did not end have left. To be called by the only writer.
  void clean() {
    for (const auto& name : names()) {
      if (name.starts_with(".tmp-")) discard(folder_ / name);
    }
  }

  static constexpr const char* manifest_name = "MANIFEST.json";

 private:
  static std::optional<std::uint64_t> number_of(std::string_view name) {
    constexpr std::string_view stem = "ckpt-";
    if (!name.starts_with(stem)) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + stem.size(), end, number);
    if (read.ec != std::errc() || read.ptr != end || generation_name(number) != name) return std::nullopt;
    return number;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    std::error_code code;
    for (std::filesystem::directory_iterator at(folder_, code), end; at != end; at.increment(code)) {
      all.push_back(at->path().filename().string());
    }
    if (code) throw error("folder '" + folder_.string() + "' cannot be listed: " + code.message() + ".");
    return all;
  }

  std::string read_manifest(const std::filesystem::path& path) const {
    const detail::descriptor file(*calls_, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) throw error("its manifest cannot be opened" + detail::because(errno) + ".");
    std::string text;
    const auto facts = detail::read_all(*calls_, file.get(), [&](std::string_view part) {
      text += part;
      return text.size() <= manifest_limits::bytes;
    });
    if (!facts) throw error("its manifest cannot be read" + detail::because(errno) + ".");
    return text;
  }

  /// `bytes`, where given, gets what is in it.
  void check_file(const std::filesystem::path& folder, const checkpoint_manifest::file& wanted,
                  std::string* bytes) const {
    const std::string name = "its file '" + wanted.name + "' ";
    const detail::descriptor file(*calls_, folder / wanted.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) throw error(name + "cannot be opened" + detail::because(errno) + ".");
    const auto refuse_length = [&](std::uint64_t has) {
      throw error(name + "is to have " + std::to_string(wanted.bytes) + " bytes and has " +
                  (has > wanted.bytes ? "more." : std::to_string(has) + "."));
    };
    // Before memory is taken for what a manifest merely says.
    if (const auto has = calls_->length(file.get()); has >= 0) {
      if (static_cast<std::uint64_t>(has) != wanted.bytes) refuse_length(static_cast<std::uint64_t>(has));
      if (bytes != nullptr) bytes->reserve(wanted.bytes);
    }
    std::uint64_t seen = 0;
    const auto facts = detail::read_all(*calls_, file.get(), [&](std::string_view part) {
      seen += part.size();
      if (bytes != nullptr) *bytes += part;
      return seen <= wanted.bytes;  // a longer one need not be read to its end
    });
    if (!facts) throw error(name + "cannot be read" + detail::because(errno) + ".");
    if (facts->bytes != wanted.bytes) refuse_length(facts->bytes);
    if (facts->sha256 != wanted.sha256) throw error(name + "is damaged: its SHA-256 is not the one written.");
  }

  /// Removes a folder of files; says whether it is gone.
  bool discard(const std::filesystem::path& folder) {
    std::error_code code;
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(folder, code))) {
      return !std::filesystem::exists(std::filesystem::symlink_status(folder, code)) ||
             calls_->unlink(folder.c_str()) == 0;
    }
    bool all = true;
    for (std::filesystem::directory_iterator at(folder, code), end; at != end; at.increment(code)) {
      all = calls_->unlink(at->path().c_str()) == 0 && all;
    }
    return all && calls_->rmdir(folder.c_str()) == 0;
  }

  [[noreturn]] void fail(const std::filesystem::path& what, const std::string& how, std::uint64_t bytes,
                         int reason) const {
    throw error("checkpoint '" + what.string() + "' cannot be written: " + how + detail::because(reason) +
                detail::wanted_room(*calls_, folder_, bytes_text(bytes), reason) + ".");
  }

  file_calls* calls_;
  std::filesystem::path folder_;
};

}  // namespace crispnas
