// What stands between the stages of the NAS-Bench-201 skeleton? A residual block of stride 2.
#pragma once

#include <crispnas/nn/layers.hpp>
#include <memory>

namespace crispnas {

class residual_block final : public nn::layer {
 public:
  residual_block(const nn::init_context& init, int in, int out) {
    conv_a_ = register_module(
        "conv_a", std::make_shared<nn::relu_conv_bn>(init, nn::conv_shape{in, out, 3, 2, 1}, true));
    conv_b_ = register_module(
        "conv_b", std::make_shared<nn::relu_conv_bn>(init, nn::conv_shape{out, out, 3, 1, 1}, true));
    auto shortcut = register_module("downsample", std::make_shared<nn::sequence>());
    shortcut->add(std::make_shared<average_2x2>());
    shortcut->add(std::make_shared<nn::conv2d>(init, nn::conv_shape{in, out, 1}));
    shortcut_ = shortcut;
  }
  at::Tensor forward(const at::Tensor& x) override {
    return shortcut_->forward(x) + conv_b_->forward(conv_a_->forward(x));
  }

 private:
  class average_2x2 final : public nn::layer {
   public:
    at::Tensor forward(const at::Tensor& x) override { return at::avg_pool2d(x, {2, 2}, {2, 2}); }
  };
  std::shared_ptr<nn::relu_conv_bn> conv_a_;
  std::shared_ptr<nn::relu_conv_bn> conv_b_;
  std::shared_ptr<nn::sequence> shortcut_;
};

}  // namespace crispnas
