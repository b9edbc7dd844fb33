// The classifier in the middle of a derived network, which helps the first cells to train (weight 0.4 in DARTS's recipe).
#pragma once

#include <crispnas/nn/layers.hpp>
#include <memory>

namespace crispnas {

/// ReLU, average of 5 x 5, 1x1 to 128, batch norm, ReLU, 2x2 to 768, batch norm, ReLU, linear, under the published names. For
/// images of 8 x 8 (CIFAR) or 7 x 7 (ImageNet; the published comment says 14). ImageNet's has no second batch norm, as it was published.
class auxiliary_head final : public nn::layer {
 public:
  auxiliary_head(const nn::init_context& init, int channels, int classes, bool imagenet) {
    features_ = register_module("features", std::make_shared<nn::sequence>());
    features_->add(std::make_shared<nn::relu>());
    features_->add(std::make_shared<average_5x5>(imagenet ? 2 : 3));
    features_->add(std::make_shared<nn::conv2d>(init, nn::conv_shape{channels, 128, 1}));
    features_->add(std::make_shared<nn::batch_norm>(init, 128, true));
    features_->add(std::make_shared<nn::relu>());
    features_->add(std::make_shared<nn::conv2d>(init, nn::conv_shape{128, 768, 2}));
    if (!imagenet) features_->add(std::make_shared<nn::batch_norm>(init, 768, true));
    features_->add(std::make_shared<nn::relu>());
    classifier_ = register_module("classifier", std::make_shared<nn::linear>(init, 768, classes));
  }
  /// x: [batch, channels, 8, 8] or [.., 7, 7] -> logits [batch, classes].
  at::Tensor forward(const at::Tensor& x) override {
    return classifier_->forward(features_->forward(x).flatten(1));
  }

 private:
  class average_5x5 final : public nn::layer {
   public:
    explicit average_5x5(int stride) : stride_(stride) {}
    at::Tensor forward(const at::Tensor& x) override {
      return at::avg_pool2d(x, {5, 5}, {stride_, stride_}, {0, 0}, false, false);
    }

   private:
    int stride_;
  };
  std::shared_ptr<nn::sequence> features_;
  std::shared_ptr<nn::linear> classifier_;
};

}  // namespace crispnas
