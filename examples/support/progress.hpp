// How far is it? A bar with the time left on a terminal, at most 10 times a second; plain lines, one per
// tenth of the way, where stderr goes to a file or a log; nothing with --quiet. All of it on stderr: stdout
// is for results.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// "7 s", "3:07", "1:02:07"; "?" if it is not known.
inline std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e7) return "?";
  const auto total = std::lround(seconds);
  char text[48];
  if (total < 60) {
    std::snprintf(text, sizeof text, "%ld s", total);
  } else if (total < 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld", total / 60, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  }
  return text;
}

struct progress_state {
  std::int64_t done = 0;
  std::int64_t total = 1;
  double elapsed = 0;      // seconds
  std::string label = {};  // what is being done
  std::string note = {};   // the latest numbers
};

/// "da2s 3/14   40% | 20/50 | 12 s, 18 s left | loss 1.23"
inline std::string render_line(const progress_state& state) {
  const double share =
      state.total > 0 ? static_cast<double>(state.done) / static_cast<double>(state.total) : 1;
  std::string line = state.label + " " + std::to_string(static_cast<int>(100 * share)) + "% | " +
                     std::to_string(state.done) + "/" + std::to_string(state.total) + " | " +
                     format_duration(state.elapsed);
  if (state.done > 0 && state.done < state.total)
    line += ", " + format_duration(state.elapsed * (1 / share - 1)) + " left";
  return state.note.empty() ? line : line + " | " + state.note;
}

/// The same with a bar, cut to `width` columns.
inline std::string render_bar(const progress_state& state, std::size_t width, bool color) {
  const std::string text = render_line(state);
  constexpr std::size_t cells = 24;
  const double share =
      state.total > 0 ? static_cast<double>(state.done) / static_cast<double>(state.total) : 1;
  const auto full = std::min(cells, static_cast<std::size_t>(share * static_cast<double>(cells)));
  if (width <= text.size() + cells + 3) return text.substr(0, width);
  std::string bar = std::string(full, '#') + std::string(cells - full, '.');
  if (color) bar = "\x1b[32m" + bar + "\x1b[0m";
  return "[" + bar + "] " + text;
}

class progress {
 public:
  progress(std::string label, std::int64_t total, bool quiet = false, std::FILE* stream = stderr)
      : stream_(stream), quiet_(quiet), terminal_(isatty(fileno(stream)) != 0) {
    state_.label = std::move(label);
    state_.total = total;
  }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { finish(); }

  /// `done` of `total` are done; `note` is shown behind.
  void update(std::int64_t done, std::string_view note = {}) {
    state_.done = std::min(done, state_.total);
    if (!note.empty()) state_.note = note;
    if (quiet_ || finished_) return;
    const auto now = clock::now();
    state_.elapsed = std::chrono::duration<double>(now - start_).count();
    if (terminal_) {
      if (drawn_ && state_.done < state_.total && now - last_drawn_ < std::chrono::milliseconds(100)) return;
      last_drawn_ = now;
      drawn_ = true;
      std::fprintf(stream_, "\r\x1b[K%s", render_bar(state_, columns(), color()).c_str());
    } else {
      const std::int64_t tenth = state_.total > 0 ? 10 * state_.done / state_.total : 10;
      if (tenth <= last_tenth_) return;
      last_tenth_ = tenth;
      std::fprintf(stream_, "%s\n", render_line(state_).c_str());
    }
    std::fflush(stream_);
  }

  /// One step more.
  void advance(std::string_view note = {}) { update(state_.done + 1, note); }

  /// Leaves the last state on its own line. Called by the destructor.
  void finish() {
    if (!finished_ && terminal_ && drawn_) {
      std::fprintf(stream_, "\r\x1b[K%s\n", render_bar(state_, columns(), color()).c_str());
      std::fflush(stream_);
    }
    finished_ = true;
  }

 private:
  using clock = std::chrono::steady_clock;

  std::size_t columns() const {
    winsize size{};
    // One column is left free: a full last column makes some terminals wrap.
    return ioctl(fileno(stream_), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79U;
  }

  static bool color() {  // https://no-color.org
    const char* no_color = std::getenv("NO_COLOR");
    return no_color == nullptr || *no_color == '\0';
  }

  std::FILE* stream_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  bool finished_ = false;
  std::int64_t last_tenth_ = 0;
  clock::time_point start_ = clock::now();
  clock::time_point last_drawn_{};
  progress_state state_;
};

}  // namespace support
