// How is a program asked to end? By a signal: of the user (SIGINT), of the system or a scheduler that is about to kill it (SIGTERM),
// of a scheduler that warns before (SIGUSR1), of a terminal that closes (SIGHUP). The first one is remembered, and asked for between
// two steps; the second one ends the process at once.
#pragma once

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace support {

namespace detail {

inline std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free,
              "support: a signal may interrupt anything, so what it sets has no lock.");

extern "C" inline void remember_signal(int number) {
  int none = 0;
  if (!received_signal.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

}  // namespace detail

/// Remembers signals while it lives; then they do again what they did before. Those that are ignored stay ignored.
class stop_signals {
 public:
  stop_signals() {
    detail::received_signal = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = &detail::remember_signal;
      action.sa_flags = SA_RESTART;
      sigemptyset(&action.sa_mask);
      sigaction(numbers[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, nullptr);
    }
  }
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;
  ~stop_signals() {
    for (std::size_t i = 0; i < numbers.size(); ++i) sigaction(numbers[i], &before_[i], nullptr);
  }

  /// The number of the signal that came; 0: none.
  int received() const { return detail::received_signal; }

  static const char* name(int number) {
    switch (number) {
      case SIGTERM:
        return "SIGTERM";
      case SIGINT:
        return "SIGINT";
      case SIGUSR1:
        return "SIGUSR1";
      default:
        return "SIGHUP";
    }
  }

 private:
  static constexpr std::array<int, 4> numbers{SIGTERM, SIGINT, SIGUSR1, SIGHUP};
  std::array<struct sigaction, numbers.size()> before_{};
};

}  // namespace support
