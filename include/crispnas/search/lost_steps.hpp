// Which steps of a run have lost a number, and how does it go on without them? As search_options and train_options say: by undoing the
// step on the device, or by going back to where the epoch began.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <crispnas/io/named_state.hpp>
#include <crispnas/search/step_guard.hpp>
#include <crispnas/search/when_lost.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crispnas::detail {

/// One run's.
class lost_steps {
 public:
  /// `changed`: all tensors that a step can change.
  lost_steps(lost_numbers policy, int limit, std::vector<at::Tensor> changed)
      : policy_(policy), limit_(limit) {
    if (policy == lost_numbers::skip) guard_.emplace(std::move(changed));
  }

  /// How many were skipped or rolled back over.
  std::int64_t count() const { return count_; }
  /// Whether that step of this epoch is gone through without.
  bool has(std::int64_t step) const {
    return std::find(of_epoch_.begin(), of_epoch_.end(), step) != of_epoch_.end();
  }
  void start_epoch() { of_epoch_.clear(); }

  /// Here the run can come back to; `state()` is all that it is.
  template <class State>
  void come_back_here(State&& state) {
    if (policy_ == lost_numbers::roll_back) good_ = state().values();
  }

  void before_step() {
    if (guard_) guard_->remember();
  }
  /// `fine`: a flag on the device, undefined on meta. What `where()` says of a step before it is undone, which parameters hold a NaN or
  /// infinity, say; empty where nothing is undone, and on a GPU, which would have to be waited for.
  template <class Where>
  std::string after_step(const at::Tensor& fine, Where&& where) {
    if (!guard_ || !fine.defined()) return {};
    std::string undone;
    if (fine.is_cpu() && !fine.item<bool>()) undone = where() + " (undone)";
    guard_->put_back_unless(fine);
    return undone;
  }

  /// Whether the run ends with the next one.
  bool are_too_many() const { return policy_ == lost_numbers::abort || count_ >= limit_; }

  /// That step of this epoch has lost a number, and the run goes on without it.
  template <class State>
  void pass_over(std::int64_t step, State&& state) {
    if (policy_ == lost_numbers::roll_back) {
      auto over = of_epoch_;
      const auto count = count_;
      state().restore(good_);  // these two with it, as they were
      of_epoch_ = std::move(over);
      of_epoch_.push_back(step);
      count_ = count;
    }
    ++count_;
  }

  void add_to(named_state& all) {
    all.add("lost_steps", count_);
    all.add("passed_over", of_epoch_);
  }

 private:
  lost_numbers policy_;
  int limit_;
  std::optional<step_guard> guard_;
  std::int64_t count_ = 0;
  std::vector<std::int64_t> of_epoch_;  ///< from 0
  named_tensors good_;
};

}  // namespace crispnas::detail
