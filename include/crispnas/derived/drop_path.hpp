// How are paths dropped while a derived network trains? Whole images of an op's output, at random (FractalNet; DARTS section A.1).
#pragma once

#include <torch/types.h>

#include <crispnas/data/random.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <string>

namespace crispnas {

/// Drops each image of a batch with `probability` and divides the others by 1 - probability, so that the mean stays. What is dropped
/// depends on (seed, epoch, step, number of the path in the pass, number of the image) alone: the same on every device, and the same
/// in a run that goes on after a stop.
class path_dropper {
 public:
  explicit path_dropper(std::uint64_t seed) : seed_(seed) {}

  double probability() const { return probability_; }
  /// Throws crispnas::error unless 0 <= probability < 1.
  void probability(double p) {
    if (!(p >= 0 && p < 1)) {
      throw error(
          "crispnas::path_dropper: a path is dropped with a probability from 0 up to, not including, 1; " +
          std::to_string(p) + " is not.");
    }
    probability_ = p;
    masks_ = at::Tensor();
  }
  /// DARTS's schedule: grows linearly from 0 to `last` over the epochs, which count from 0 here.
  void probability(double last, int epoch, int epochs) { probability(last * epoch / epochs); }

  /// The pass that follows is that of step `step` of epoch `epoch`. Without it, each pass draws on where the last one ended.
  void begin_step(std::int64_t epoch, std::int64_t step) {
    epoch_ = static_cast<std::uint64_t>(epoch);
    step_ = static_cast<std::uint64_t>(step);
    path_ = 0;
  }

  /// x: [batch, channels, h, w].
  at::Tensor operator()(const at::Tensor& x) {
    if (probability_ == 0.0) return x;
    const std::int64_t row = path_ % rows;
    if (row == 0 || !masks_.defined() || masks_.size(1) != x.size(0) || masks_.device() != x.device()) {
      draw(path_ - row, x);
    }
    ++path_;
    return x * masks_[row].to(x.scalar_type());
  }

 private:
  static constexpr std::int64_t rows = 64;  // paths that are drawn at once: one copy to the device for all

  void draw(std::int64_t first, const at::Tensor& like) {
    at::Tensor masks = at::empty({rows, like.size(0), 1, 1, 1}, at::kDouble);
    auto* mask = masks.mutable_data_ptr<double>();
    for (std::int64_t path = first; path < first + rows; ++path) {
      counter_random random(seed_, random_stream::dropped_paths, epoch_,
                            (step_ << 24) + static_cast<std::uint64_t>(path));
      for (std::int64_t image = 0; image < like.size(0); ++image)
        *mask++ = random.unit() < probability_ ? 0.0 : 1.0 / (1.0 - probability_);
    }
    masks_ = masks.to(like.device(), like.scalar_type());
  }

  std::uint64_t seed_;
  double probability_ = 0.0;
  std::uint64_t epoch_ = 0;
  std::uint64_t step_ = 0;
  std::int64_t path_ = 0;
  at::Tensor masks_;  // [rows, batch, 1, 1, 1] of the paths around path_
};

}  // namespace crispnas
