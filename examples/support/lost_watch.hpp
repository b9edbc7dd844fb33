// Has a training by hand lost a number? Told as crispnas::trainer tells it: one flag on the device for each step, read a step later, so
// that nothing waits.
#pragma once

#include <fmt/format.h>

#include <crispnas/search/lost_numbers.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace support {

namespace cn = crispnas;

/// All its functions throw crispnas::error where a number was lost, and go on throwing then: what is lost is neither saved nor measured.
class lost_watch {
 public:
  struct taken_step {
    std::int64_t epoch;  ///< from 1
    std::int64_t step;   ///< of it, from 0
    double rate;
    std::vector<std::int64_t> images;
  };

  /// `net` outlives it.
  explicit lost_watch(const cn::any_supernet& net) : net_(net), watched_(cn::watched_tensors(net)) {}

  /// Reads the step before this one, and keeps this one to be read.
  void after_step(taken_step step, const cn::step_result& result) {
    at::Tensor fine = cn::all_finite(result, watched_);
    settle();
    to_read_ = {std::move(step), result, std::move(fine)};
  }

  /// Reads the last step; before weights are saved or measured.
  void settle() const {
    if (to_read_ && to_read_->fine.defined() && !to_read_->fine.item<bool>()) fail();
  }

 private:
  struct step_to_read {
    taken_step step;
    cn::step_result result;
    at::Tensor fine;  ///< undefined on meta, which has no numbers
  };

  [[noreturn]] void fail() const {
    const auto& [step, result, fine] = *to_read_;
    throw cn::error(fmt::format(
        "a number was lost in epoch {}, step {}: loss {}, gradient norm {}; first parameter with a "
        "NaN or infinity: {}. Rate {}; images: {}. Lower the rate, or look at the images.",
        step.epoch, step.step + 1, cn::shown(result.weight_loss.item<double>()),
        cn::shown(result.gradient_norm.item<double>()), cn::first_lost(net_), cn::shown(step.rate),
        cn::listed_indices(step.images)));
  }

  const cn::any_supernet& net_;
  std::vector<at::Tensor> watched_;
  std::optional<step_to_read> to_read_;
};

}  // namespace support
