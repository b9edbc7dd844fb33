// How are paths dropped while a derived network trains? Whole images of an op's output, at random (FractalNet; DARTS section A.1).
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <crispnas/error.hpp>
#include <cstdint>
#include <string>

namespace crispnas {

/// Drops each image of a batch with `probability` and divides the others by 1 - probability, so that the mean stays. Draws on the
/// CPU from its own seed, so that a run drops the same on every device.
class path_dropper {
 public:
  explicit path_dropper(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

  double probability() const { return probability_; }
  /// Throws crispnas::error unless 0 <= probability < 1.
  void probability(double p) {
    if (!(p >= 0 && p < 1)) {
      throw error(
          "crispnas::path_dropper: a path is dropped with a probability from 0 up to, not including, 1; " +
          std::to_string(p) + " is not.");
    }
    probability_ = p;
  }
  /// DARTS's schedule: grows linearly from 0 to `last` over the epochs, which count from 0 here.
  void probability(double last, int epoch, int epochs) { probability(last * epoch / epochs); }

  /// x: [batch, channels, h, w].
  at::Tensor operator()(const at::Tensor& x) {
    if (probability_ == 0.0) return x;
    const double keep = 1.0 - probability_;
    const at::Tensor mask = at::empty({x.size(0), 1, 1, 1}, at::TensorOptions().dtype(x.scalar_type()))
                                .bernoulli_(keep, generator_);
    return x * (mask / keep).to(x.device());
  }

 private:
  at::Generator generator_;
  double probability_ = 0.0;
};

}  // namespace crispnas
