// How is a step undone without asking the device whether it went well? By a copy of all that it can change, and a
// choice between the two that the device makes.
#pragma once

#include <torch/types.h>

#include <utility>
#include <vector>

namespace crispnas {

/// Copies of tensors, put back where a flag on their device says so. Costs their memory once more, and two copies a
/// step.
class step_guard {
 public:
  explicit step_guard(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {
    for (auto& t : tensors_) {
      t = t.detach();
      before_.push_back(at::empty_like(t));
    }
  }

  /// Remembers how they are.
  void remember() {
    const at::NoGradGuard no_grad;
    at::_foreach_copy_(before_, tensors_);
  }

  /// Puts them back unless `fine`, a bool of no dimension on their device.
  void put_back_unless(const at::Tensor& fine) {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      tensors_[i].copy_(at::where(fine, tensors_[i], before_[i]));  // a choice: NaN times 0 would be NaN
    }
  }

 private:
  std::vector<at::Tensor> tensors_;
  std::vector<at::Tensor> before_;
};

}  // namespace crispnas
