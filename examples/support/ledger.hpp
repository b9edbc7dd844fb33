// What is already done? A file of JSON lines, one for each finished piece of work, on the disk before the next one begins. A run that
// was killed goes on where it was: the line that it was writing is recognised as torn and done again.
#pragma once

#include <algorithm>
#include <cerrno>
#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/file_calls.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bounded_json.hpp"
#include "fingerprint.hpp"
#include "ledger_lines.hpp"

namespace support {

enum class ledger_mode {
  append,  ///< makes the file, locks out other runs, mends a torn end
  read     ///< changes nothing; a missing file is an empty ledger
};

/// What the `sum` of a line is to be.
inline std::string ledger_sum(const nlohmann::json& line) {
  nlohmann::json rest = line;
  rest.erase("sum");
  return fingerprint(rest.dump());
}

/// Of a line: more than the longest search leaves (ledger_lines.hpp). Of the file, which is read as a whole.
inline constexpr json_limits ledger_line_limits{.bytes = std::size_t{1} << 26};
inline constexpr std::size_t ledger_most_bytes = std::size_t{1} << 28;

/// The line of a ledger that `text` is. Throws crispnas::error that says what is wrong with it.
inline nlohmann::json parse_ledger_line(std::string_view text) {
  nlohmann::json line = parse_bounded_json(text, "the line", ledger_line_limits);
  if (line.is_discarded()) throw crispnas::error("this is no JSON");
  const bool whole = line.is_object() && line.contains("hash") && line["hash"].is_string() &&
                     line.contains("seed") && line["seed"].is_number_unsigned() && line.contains("result") &&
                     line["result"].is_object() && line.contains("sum") && line["sum"].is_string();
  if (!whole) throw crispnas::error("hash, seed, result or sum is missing");
  if (line["sum"] != ledger_sum(line)) throw crispnas::error("it has been changed after it was written");
  check_ledger_result(line);
  return line;
}

/// A line is an object with `hash` (of the configuration), `seed`, `configuration`, `result`, whatever else the caller keeps, and `sum`, a
/// fingerprint of the rest, so that a line that was damaged is never taken for a measurement. The result of a line that it gives has the
/// shape of its kind.
class ledger {
 public:
  /// Throws crispnas::error that names file and line for a damaged line, and for a file that cannot be opened or is in use. `calls`
  /// outlives it. `most_bytes`: what the file may have.
  ledger(std::filesystem::path path, ledger_mode mode, crispnas::file_calls& calls = crispnas::system_files(),
         std::uint64_t most_bytes = ledger_most_bytes)
      : path_(std::move(path)), calls_(calls), most_bytes_(most_bytes) {
    if (mode == ledger_mode::append) open_for_append();
    read();
  }
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  /// The line of a configuration and a seed; null where it is not done. Stays where it is when lines are added.
  const nlohmann::json* find(const std::string& hash, std::uint64_t seed) const {
    const std::lock_guard lock(guard_);
    const auto found = lines_.find({hash, seed});
    return found == lines_.end() ? nullptr : &found->second;
  }

  /// Adds a finished piece of work; when it returns, the line is on the disk. Callable from any thread.
  void append(nlohmann::json line) {
    if (!file_) throw crispnas::error(named() + " was opened for reading only.");
    line["sum"] = ledger_sum(line);
    const std::string text = line.dump() + "\n";
    parse_ledger_line(
        std::string_view(text).substr(0, text.size() - 1));  // what would not be read is not written
    const std::lock_guard lock(guard_);
    write_whole(text);
    keep(std::move(line));
  }

  std::size_t size() const { return lines_.size(); }
  /// Of the file; and how many more it may get.
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t room() const { return most_bytes_ - std::min(most_bytes_, bytes_); }
  /// What is to be told about a torn end; empty where there was none.
  const std::string& torn() const { return torn_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::string named() const { return "ledger '" + path_.string() + "'"; }
  /// With what errno says, and, where there was no room, with how much there is.
  [[noreturn]] void fail(const std::string& what) const {
    const int reason = errno;
    std::string text = named() + " " + what + crispnas::detail::because(reason);
    std::uint64_t room = 0;
    if ((reason == ENOSPC || reason == EDQUOT || reason == EFBIG) &&
        calls_.free_bytes(path_.c_str(), room) == 0)
      text += "; free there: " + crispnas::bytes_text(room);
    throw crispnas::error(text + ".");
  }

  void open_for_append() {
    file_.emplace(calls_, path_, O_RDWR | O_CREAT | O_APPEND);
    if (!*file_) fail("cannot be opened");
    if (crispnas::detail::uninterrupted([&] { return calls_.flock(file_->get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) fail("cannot be locked");
      throw crispnas::error(named() + " is in use by another run. Wait for it, or name another folder.");
    }
    // The file's name is to survive as well.
    if (!crispnas::detail::sync_folder(calls_, std::filesystem::absolute(path_).parent_path()))
      fail("may not reach the disk");
  }

  void read() {
    if (!std::filesystem::exists(path_)) return;
    std::string text;
    try {
      text = read_bounded_text(path_, most_bytes_);
    } catch (const crispnas::error& e) {
      throw crispnas::error("ledger " + std::string(e.what()));
    }
    bytes_ = text.size();
    std::size_t number = 1;
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      add(std::string_view(text).substr(begin, end - begin), number++);
      begin = end + 1;
    }
    if (begin == text.size()) return;
    // A line is written with its line break last: without one it was cut off, unless all of it is there.
    const std::string_view rest = std::string_view(text).substr(begin);
    if (json_depth(rest) <= ledger_line_limits.depth && nlohmann::json::accept(rest)) {
      add(rest, number);
      if (file_) write_whole("\n");
      return;
    }
    torn_ =
        named() + ", line " + std::to_string(number) + ": torn (" + std::to_string(rest.size()) +
        " bytes without an end), as a run leaves it that was stopped while it wrote. What it was to say is "
        "done again.";
    if (file_ && !cut_to(begin)) fail("cannot be mended");
  }

  void add(std::string_view text, std::size_t number) {
    nlohmann::json line;
    try {
      line = parse_ledger_line(text);
    } catch (const crispnas::error& e) {
      std::string what = e.what();
      if (what.ends_with('.')) what.pop_back();
      throw crispnas::error(named() + ", line " + std::to_string(number) + ": " + what +
                            ". Take the line out; its work is then done again.");
    }
    keep(std::move(line));
  }

  void keep(nlohmann::json line) {
    std::pair<std::string, std::uint64_t> key{line["hash"].get<std::string>(),
                                              line["seed"].get<std::uint64_t>()};
    lines_.emplace(std::move(key), std::move(line));
  }

  bool cut_to(std::uint64_t bytes) {
    const auto length = static_cast<std::int64_t>(bytes);
    const bool done =
        crispnas::detail::uninterrupted([&] { return calls_.truncate(path_.c_str(), length); }) == 0;
    if (done) bytes_ = bytes;
    return done;
  }

  void write_whole(std::string_view text) {
    if (has_half_a_line_)
      throw crispnas::error(named() + " cannot be written any more: it ends in half a line.");
    // What would not be read is not written.
    if (text.size() > room()) {
      throw crispnas::error(named() + " is full: with this line it would have " +
                            std::to_string(bytes_ + text.size()) + " bytes, more than the " +
                            std::to_string(most_bytes_) +
                            " that are read. What it has stays; take another folder for what is missing.");
    }
    if (!crispnas::detail::write_all(calls_, file_->get(), text)) {
      const int reason = errno;
      // Half a line is worse than none; where it cannot be taken back, the next run finds it torn.
      has_half_a_line_ = !cut_to(bytes_);
      errno = reason;
      fail("cannot be written");
    }
    bytes_ += text.size();
    if (!file_->sync()) fail("cannot be brought to the disk");
  }

  std::filesystem::path path_;
  crispnas::file_calls& calls_;
  std::uint64_t most_bytes_;
  std::optional<crispnas::detail::descriptor> file_;  ///< to append to
  std::uint64_t bytes_ = 0;                           ///< of whole lines
  bool has_half_a_line_ = false;
  mutable std::mutex guard_;
  std::map<std::pair<std::string, std::uint64_t>, nlohmann::json> lines_;
  std::string torn_;
};

}  // namespace support
