// How is a network measured without being left in the mode that measuring needs?
#pragma once

#include <torch/nn/module.h>

namespace crispnas::nn {

/// In training or evaluation mode while this lives; then in its own again, also when an exception ends it.
class mode_guard {
 public:
  mode_guard(torch::nn::Module& net, bool training) : net_(net), was_training_(net.is_training()) {
    net_.train(training);
  }
  mode_guard(const mode_guard&) = delete;
  mode_guard& operator=(const mode_guard&) = delete;
  ~mode_guard() { net_.train(was_training_); }

 private:
  torch::nn::Module& net_;
  bool was_training_;
};

}  // namespace crispnas::nn
