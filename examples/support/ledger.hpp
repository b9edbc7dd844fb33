// What is already done? A file of JSON lines, one for each finished piece of work, on the disk before the next one begins. A run that
// was killed goes on where it was: the line that it was writing is recognised as torn and done again.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "bounded_json.hpp"
#include "fingerprint.hpp"

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

inline constexpr json_limits ledger_line_limits{};
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
  return line;
}

/// A line is an object with `hash` (of the configuration), `seed`, `result`, whatever else the caller keeps, and `sum`, a fingerprint
/// of the rest, so that a line that was damaged or edited is never taken for a measurement.
class ledger {
 public:
  /// Throws crispnas::error that names file and line for a damaged line, and for a file that cannot be opened or is in use.
  ledger(std::filesystem::path path, ledger_mode mode) : path_(std::move(path)) {
    if (mode == ledger_mode::append) open_for_append();
    try {
      read(mode);
    } catch (...) {
      if (file_ >= 0) ::close(file_);
      throw;
    }
  }
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;
  ~ledger() {
    if (file_ >= 0) ::close(file_);
  }

  /// The line of a configuration and a seed; null where it is not done. Stays where it is when lines are added.
  const nlohmann::json* find(const std::string& hash, std::uint64_t seed) const {
    const std::lock_guard lock(guard_);
    const auto found = lines_.find({hash, seed});
    return found == lines_.end() ? nullptr : &found->second;
  }

  /// Adds a finished piece of work; when it returns, the line is on the disk. Callable from any thread.
  void append(nlohmann::json line) {
    if (file_ < 0) throw crispnas::error(named() + " was opened for reading only.");
    line["sum"] = ledger_sum(line);
    const std::string text = line.dump() + "\n";
    parse_ledger_line(
        std::string_view(text).substr(0, text.size() - 1));  // what would not be read is not written
    const std::lock_guard lock(guard_);
    write_whole(text);
    keep(std::move(line));
  }

  std::size_t size() const { return lines_.size(); }
  /// What is to be told about a torn end; empty where there was none.
  const std::string& torn() const { return torn_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::string named() const { return "ledger '" + path_.string() + "'"; }
  [[noreturn]] void fail(const std::string& what, int reason) const {
    throw crispnas::error(named() + " " + what + ": " + std::strerror(reason) + ".");
  }

  void open_for_append() {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0) fail("cannot be opened", errno);
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      ::close(file_);
      throw crispnas::error(named() + " is in use by another run. Wait for it, or name another folder.");
    }
    const auto parent = path_.parent_path().empty() ? std::filesystem::path(".") : path_.parent_path();
    const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {  // the file's name is to survive as well
      ::fsync(folder);
      ::close(folder);
    }
  }

  void read(ledger_mode mode) {
    if (!std::filesystem::exists(path_)) return;
    std::string text;
    try {
      text = read_bounded_text(path_, ledger_most_bytes);
    } catch (const crispnas::error& e) {
      throw crispnas::error("ledger " + std::string(e.what()));
    }
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
      if (mode == ledger_mode::append) write_whole("\n");
      return;
    }
    torn_ =
        named() + ", line " + std::to_string(number) + ": torn (" + std::to_string(rest.size()) +
        " bytes without an end), as a run leaves it that was stopped while it wrote. What it was to say is "
        "done again.";
    if (mode == ledger_mode::append && ::ftruncate(file_, static_cast<off_t>(begin)) != 0)
      fail("cannot be mended", errno);
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

  void write_whole(std::string_view text) {
    const off_t before = ::lseek(file_, 0, SEEK_END);
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t written = ::write(file_, text.data() + done, text.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        const int reason = errno;
        // Half a line is worse than none; where it cannot be taken back, the next run finds it torn.
        [[maybe_unused]] const int ignored = before < 0 ? -1 : ::ftruncate(file_, before);
        fail("cannot be written", reason);
      }
      done += static_cast<std::size_t>(written);
    }
    if (::fsync(file_) != 0) fail("cannot be brought to the disk", errno);
  }

  std::filesystem::path path_;
  int file_ = -1;
  mutable std::mutex guard_;
  std::map<std::pair<std::string, std::uint64_t>, nlohmann::json> lines_;
  std::string torn_;
};

}  // namespace support
