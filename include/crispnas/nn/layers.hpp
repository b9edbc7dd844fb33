// The layers that operations are built of: convolution, batch norm, pooling, and sequences of them under published names.
#pragma once

#include <torch/nn/module.h>

#include <cmath>
#include <crispnas/nn/meta.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crispnas::nn {

using at::Tensor;

/// Where and how parameters are made. Initial values are drawn on the CPU from `generator`, so that a seed means the same
/// network on every device; on `meta`, where there are none, nothing is drawn.
struct init_context {
  at::Generator generator;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;

  Tensor uniform(at::IntArrayRef shape, double bound) const {
    const Tensor values = empty(shape);
    return values.is_meta() ? values : values.uniform_(-bound, bound, generator).to(device);
  }
  Tensor normal(at::IntArrayRef shape, double mean, double deviation) const {
    const Tensor values = empty(shape);
    return values.is_meta() ? values : values.normal_(mean, deviation, generator).to(device);
  }
  Tensor full(at::IntArrayRef shape, double value) const {
    return at::full(shape, value, at::TensorOptions().dtype(dtype).device(device));
  }

 private:
  Tensor empty(at::IntArrayRef shape) const {
    return at::empty(shape, at::TensorOptions().dtype(dtype).device(device.is_meta() ? at::kMeta : at::kCPU));
  }
};

/// A module of one tensor in, one tensor out.
class layer : public torch::nn::Module {
 public:
  /// x: [batch, channels, height, width]
  virtual Tensor forward(const Tensor& x) = 0;
};
using layer_ptr = std::shared_ptr<layer>;

/// Geometry of a convolution; square kernels unless width differs.
struct conv_shape {
  int in = 1;
  int out = 1;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
  bool bias = false;
};

/// A convolution with PyTorch's default initialization, uniform in +-1/sqrt(fan in).
class conv2d final : public layer {
 public:
  conv2d(const init_context& init, const conv_shape& shape) : shape_(shape) {
    const int fan_in = shape.in / shape.groups * shape.kernel * shape.kernel;
    const double bound = 1.0 / std::sqrt(double(fan_in));
    weight_ = register_parameter(
        "weight", init.uniform({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}, bound));
    if (shape.bias) bias_ = register_parameter("bias", init.uniform({shape.out}, bound));
  }
  Tensor forward(const Tensor& x) override {
    if (x.is_meta()) {
      const auto size = [&](int dim) {
        return meta::output_size(x.size(dim), shape_.kernel, shape_.stride, shape_.padding, shape_.dilation);
      };
      return meta::connected(x, weight_, shape_.out, size(2), size(3));
    }
    if (shape_.kernel == 1 && shape_.stride > 1 && shape_.padding == 0 &&
        x.suggest_memory_format() == at::MemoryFormat::ChannelsLast) {
      // LibTorch 2.11's oneDNN writes past its memory in the gradient of such a convolution, channels last, of 4 channels (seen on
      // AVX2). Only the pixels that it reads, and no stride, is the same, and no slower.
      const Tensor read = x.slice(2, 0, x.size(2), shape_.stride).slice(3, 0, x.size(3), shape_.stride);
      return at::conv2d(read.contiguous(at::MemoryFormat::ChannelsLast), weight_, bias_,
                        at::IntArrayRef{1, 1}, at::IntArrayRef{0, 0}, at::IntArrayRef{1, 1}, shape_.groups);
    }
    return at::conv2d(x, weight_, bias_, {shape_.stride, shape_.stride}, {shape_.padding, shape_.padding},
                      {shape_.dilation, shape_.dilation}, shape_.groups);
  }
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  const conv_shape& shape() const { return shape_; }

 private:
  conv_shape shape_;
  Tensor weight_;
  Tensor bias_;
};

/// Fully connected, with PyTorch's default initialization. x: [batch, in] -> [batch, out].
class linear final : public layer {
 public:
  linear(const init_context& init, int in, int out) {
    const double bound = 1.0 / std::sqrt(double(in));
    weight_ = register_parameter("weight", init.uniform({out, in}, bound));
    bias_ = register_parameter("bias", init.uniform({out}, bound));
  }
  Tensor forward(const Tensor& x) override { return at::linear(x, weight_, bias_); }

 private:
  Tensor weight_;
  Tensor bias_;
};

/// Batch normalization, eps 1e-5, momentum 0.1; without scale and shift in a super-network (affine = false).
class batch_norm final : public layer {
 public:
  static constexpr double eps = 1e-5;
  static constexpr double momentum = 0.1;

  batch_norm(const init_context& init, int channels, bool affine) {
    if (affine) {
      weight_ = register_parameter("weight", init.full({channels}, 1.0));
      bias_ = register_parameter("bias", init.full({channels}, 0.0));
    }
    mean_ = register_buffer("running_mean", init.full({channels}, 0.0));
    variance_ = register_buffer("running_var", init.full({channels}, 1.0));
  }
  Tensor forward(const Tensor& x) override {
    if (x.is_meta()) return meta::connected(x, weight_, x.size(1), x.size(2), x.size(3));
    const bool keep = !is_training() || update_;
    return at::batch_norm(x, weight_, bias_, keep ? mean_ : Tensor(), keep ? variance_ : Tensor(),
                          is_training(), momentum, eps, true);
  }
  /// Whether training passes move the running statistics (second order search must not disturb them).
  void update_statistics(bool on) { update_ = on; }
  bool updates_statistics() const { return update_; }
  const Tensor& running_mean() const { return mean_; }
  const Tensor& running_variance() const { return variance_; }

 private:
  Tensor weight_;
  Tensor bias_;
  Tensor mean_;
  Tensor variance_;
  bool update_ = true;
};

/// max(x, 0).
class relu final : public layer {
 public:
  Tensor forward(const Tensor& x) override { return rectified(x); }
};

/// x itself.
class identity final : public layer {
 public:
  Tensor forward(const Tensor& x) override { return x; }
};

/// 3x3 max or average pooling, padding 1; the average leaves the padding out.
class pool_3x3 final : public layer {
 public:
  enum class kind { max, average };
  pool_3x3(kind k, int stride) : kind_(k), stride_(stride) {}
  Tensor forward(const Tensor& x) override {
    if (kind_ == kind::max) return at::max_pool2d(x, {3, 3}, {stride_, stride_}, {1, 1});
    return at::avg_pool2d(x, {3, 3}, {stride_, stride_}, {1, 1}, false, false);
  }

 private:
  kind kind_;
  int stride_;
};

/// Layers one after another, named "0", "1", ... as PyTorch's Sequential.
class sequence final : public layer {
 public:
  template <class Layer>
  Layer& add(std::shared_ptr<Layer> next) {
    register_module(std::to_string(layers_.size()), next);
    layers_.push_back(next);
    return *next;
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (const auto& next : layers_) y = next->forward(y);
    return y;
  }
  std::size_t size() const { return layers_.size(); }
  const layer_ptr& operator[](std::size_t i) const { return layers_[i]; }

 private:
  std::vector<layer_ptr> layers_;
};

/// ReLU, 1x1 or kxk convolution, batch norm, under the published name `op`.
class relu_conv_bn final : public layer {
 public:
  relu_conv_bn(const init_context& init, const conv_shape& shape, bool affine) {
    op_ = register_module("op", std::make_shared<sequence>());
    op_->add(std::make_shared<relu>());
    conv_ = std::make_shared<conv2d>(init, shape);
    op_->add(conv_);
    norm_ = std::make_shared<batch_norm>(init, shape.out, affine);
    op_->add(norm_);
  }
  Tensor forward(const Tensor& x) override { return op_->forward(x); }
  const conv2d& conv() const { return *conv_; }
  const batch_norm& norm() const { return *norm_; }

 private:
  std::shared_ptr<sequence> op_;
  std::shared_ptr<conv2d> conv_;
  std::shared_ptr<batch_norm> norm_;
};

/// Halves height and width: ReLU, two 1x1 convolutions of stride 2, the second one pixel further, concatenated, batch norm.
class factorized_reduce final : public layer {
 public:
  factorized_reduce(const init_context& init, int in, int out, bool affine) {
    conv_1_ = register_module("conv_1", std::make_shared<conv2d>(init, conv_shape{in, out / 2, 1, 2}));
    conv_2_ = register_module("conv_2", std::make_shared<conv2d>(init, conv_shape{in, out - out / 2, 1, 2}));
    norm_ = register_module("bn", std::make_shared<batch_norm>(init, out, affine));
  }
  Tensor forward(const Tensor& x) override {
    const Tensor r = rectified(x);
    const Tensor shifted = r.slice(2, 1).slice(3, 1);
    return norm_->forward(at::cat({conv_1_->forward(r), conv_2_->forward(shifted)}, 1));
  }
  const conv2d& conv_1() const { return *conv_1_; }
  const conv2d& conv_2() const { return *conv_2_; }
  const batch_norm& norm() const { return *norm_; }

 private:
  std::shared_ptr<conv2d> conv_1_;
  std::shared_ptr<conv2d> conv_2_;
  std::shared_ptr<batch_norm> norm_;
};

}  // namespace crispnas::nn
