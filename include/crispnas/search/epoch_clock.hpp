// How long do epochs compute? The clock runs while an epoch does, and not while somebody measures or saves between two.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

namespace crispnas::detail {

class epoch_clock {
 public:
  /// Runs the clock as long as it lives.
  class running {
   public:
    explicit running(epoch_clock& owner) : owner_(owner) { owner_.since_ = clock::now(); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    ~running() { owner_.since_.reset(); }

   private:
    epoch_clock& owner_;
  };

  /// Seconds since this was asked for last, or since it runs; 0 while it does not.
  double lap() {
    if (!since_) return 0.0;
    const auto now = clock::now();
    return std::chrono::duration<double>(now - *std::exchange(since_, now)).count();
  }

 private:
  using clock = std::chrono::steady_clock;
  std::optional<clock::time_point> since_;
};

}  // namespace crispnas::detail
