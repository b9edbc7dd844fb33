// One run of many, in a folder of its own until its result is kept elsewhere. It is saved when enough time has passed since it was
// saved last, and when a signal asks the program to end; begun again, it goes on bit for bit.
#pragma once

#include <chrono>
#include <crispnas/io/checkpoints.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "errors.hpp"
#include "keeper.hpp"
#include "stop_signals.hpp"

namespace support {

class unfinished_run : public keeper {
 public:
  using seconds = std::chrono::duration<double>;

  /// `signals` outlives it. The caller removes the folder once the result is kept.
  unfinished_run(const std::filesystem::path& folder, const stop_signals& signals,
                 cn::checkpoint_options options, seconds save_after = seconds(600))
      : signals_(signals), saved_(folder, std::move(options)), save_after_(save_after) {}

  void begin(std::function<cn::named_state()> state, std::function<std::string()> position) override {
    state_ = std::move(state);
    position_ = std::move(position);
    saved_.load(state_());
    last_ = clock::now();
  }
  void after_step() override {
    if (clock::now() - last_ >= save_after_) save();
  }
  void after_epoch(int) override {}
  bool stop() const override { return signals_.received() != 0; }
  [[noreturn]] void end_early() override {
    save();
    const int signal = signals_.received();
    throw ended_early("stopped by " + std::string(stop_signals::name(signal)) + " at " + position_() +
                          "; saved in '" + saved_.folder().string() + "'.",
                      128 + signal);
  }

 private:
  using clock = std::chrono::steady_clock;

  void save() {
    saved_.save(state_(), position_());
    last_ = clock::now();
  }

  const stop_signals& signals_;
  cn::checkpoints saved_;
  seconds save_after_;
  std::function<cn::named_state()> state_;
  std::function<std::string()> position_;
  clock::time_point last_{};
};

}  // namespace support
