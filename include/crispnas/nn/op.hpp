// What module stands behind an op tag? op_builder<Op> builds it. A user's own tag brings `static make(const op_context&)`.
#pragma once

#include <concepts>
#include <crispnas/nn/layers.hpp>
#include <crispnas/spec/op.hpp>
#include <memory>

namespace crispnas::nn {

/// What an op is built for. `channels` in and out; stride 1 or 2; `affine` is false in a super-network; pools are followed by a
/// batch norm where `normalized_pools` (the DARTS super-network, so that their scale can compete).
struct op_context {
  const init_context& init;
  int channels;
  int stride;
  bool affine;
  bool normalized_pools;
};

template <class Op>
concept makes_its_own_module = requires(const op_context& context) {
  { Op::make(context) } -> std::convertible_to<layer_ptr>;
};

/// A user's own op: a tag with `static layer_ptr make(const op_context&)`. The library's ops are specializations below.
template <class Op>
struct op_builder {
  static_assert(makes_its_own_module<Op>,
                "crispnas::op_builder: this operation has no module. Give its tag a function: static "
                "crispnas::nn::layer_ptr "
                "make(const crispnas::nn::op_context&).");
  static layer_ptr make(const op_context& c) { return Op::make(c); }
};

/// A pointer to the builder of an op; an array of them is all that the non-template code needs of an op set.
using op_factory = layer_ptr (*)(const op_context&);

/// x * 0, with the spatial size that the stride asks for.
class zero final : public layer {
 public:
  explicit zero(int stride) : stride_(stride) {}
  Tensor forward(const Tensor& x) override {
    if (stride_ == 1) return x * 0.0;
    return x.slice(2, 0, x.size(2), stride_).slice(3, 0, x.size(3), stride_) * 0.0;
  }

 private:
  int stride_;
};

/// A sequence under the name `op`, as separable and dilated convolutions publish theirs.
class named_sequence final : public layer {
 public:
  named_sequence() { op_ = register_module("op", std::make_shared<sequence>()); }
  sequence& op() { return *op_; }
  Tensor forward(const Tensor& x) override { return op_->forward(x); }

 private:
  std::shared_ptr<sequence> op_;
};

namespace detail {

/// ReLU, depthwise k x k, 1x1, batch norm.
inline void add_depthwise_block(sequence& op, const op_context& c, int kernel, int stride, int dilation) {
  const int padding = dilation * (kernel - 1) / 2;
  op.add(std::make_shared<relu>());
  op.add(std::make_shared<conv2d>(
      c.init, conv_shape{c.channels, c.channels, kernel, stride, padding, dilation, c.channels}));
  op.add(std::make_shared<conv2d>(c.init, conv_shape{c.channels, c.channels, 1}));
  op.add(std::make_shared<batch_norm>(c.init, c.channels, c.affine));
}

template <int Kernel>
struct separable {
  static layer_ptr make(const op_context& c) {
    auto module = std::make_shared<named_sequence>();
    add_depthwise_block(module->op(), c, Kernel, c.stride, 1);
    add_depthwise_block(module->op(), c, Kernel, 1, 1);
    return module;
  }
};

template <int Kernel>
struct dilated {
  static layer_ptr make(const op_context& c) {
    auto module = std::make_shared<named_sequence>();
    add_depthwise_block(module->op(), c, Kernel, c.stride, 2);
    return module;
  }
};

template <pool_3x3::kind Kind>
struct pooling {
  static layer_ptr make(const op_context& c) {
    auto pool = std::make_shared<pool_3x3>(Kind, c.stride);
    if (!c.normalized_pools) return pool;
    auto module = std::make_shared<sequence>();
    module->add(pool);
    module->add(std::make_shared<batch_norm>(c.init, c.channels, false));
    return module;
  }
};

/// ReLU, convolution (with a bias exactly when the batch norm has no shift), batch norm: NAS-Bench-201.
template <int Kernel>
struct normal_conv {
  static layer_ptr make(const op_context& c) {
    return std::make_shared<relu_conv_bn>(
        c.init, conv_shape{c.channels, c.channels, Kernel, c.stride, Kernel / 2, 1, 1, !c.affine}, c.affine);
  }
};

}  // namespace detail

template <>
struct op_builder<ops::none> {
  static layer_ptr make(const op_context& c) { return std::make_shared<zero>(c.stride); }
};
template <>
struct op_builder<ops::max_pool_3x3> : detail::pooling<pool_3x3::kind::max> {};
template <>
struct op_builder<ops::avg_pool_3x3> : detail::pooling<pool_3x3::kind::average> {};
template <>
struct op_builder<ops::skip_connect> {
  static layer_ptr make(const op_context& c) {
    if (c.stride == 1) return std::make_shared<identity>();
    return std::make_shared<factorized_reduce>(c.init, c.channels, c.channels, c.affine);
  }
};
template <>
struct op_builder<ops::sep_conv_3x3> : detail::separable<3> {};
template <>
struct op_builder<ops::sep_conv_5x5> : detail::separable<5> {};
template <>
struct op_builder<ops::sep_conv_7x7> : detail::separable<7> {};
template <>
struct op_builder<ops::dil_conv_3x3> : detail::dilated<3> {};
template <>
struct op_builder<ops::dil_conv_5x5> : detail::dilated<5> {};
template <>
struct op_builder<ops::nor_conv_1x1> : detail::normal_conv<1> {};
template <>
struct op_builder<ops::nor_conv_3x3> : detail::normal_conv<3> {};

/// ReLU, 1x7 over the width, 7x1 over the height, batch norm.
class conv_7x1_1x7 final : public layer {
 public:
  explicit conv_7x1_1x7(const op_context& c) : stride_(c.stride) {
    const double bound = 1.0 / std::sqrt(7.0 * c.channels);
    row_ = register_parameter("row", c.init.uniform({c.channels, c.channels, 1, 7}, bound));
    column_ = register_parameter("column", c.init.uniform({c.channels, c.channels, 7, 1}, bound));
    norm_ = register_module("bn", std::make_shared<batch_norm>(c.init, c.channels, c.affine));
  }
  Tensor forward(const Tensor& x) override {
    const Tensor rows =
        at::conv2d(rectified(x), row_, Tensor(), at::IntArrayRef{1, stride_}, at::IntArrayRef{0, 3});
    return norm_->forward(
        at::conv2d(rows, column_, Tensor(), at::IntArrayRef{stride_, 1}, at::IntArrayRef{3, 0}));
  }

 private:
  int stride_;
  Tensor row_;
  Tensor column_;
  std::shared_ptr<batch_norm> norm_;
};
template <>
struct op_builder<ops::conv_7x1_1x7> {
  static layer_ptr make(const op_context& c) { return std::make_shared<conv_7x1_1x7>(c); }
};

namespace detail {
template <class OpSet>
struct factories;
template <template <class...> class Set, class... Ops>
struct factories<Set<Ops...>> {
  static constexpr op_factory table[sizeof...(Ops)]{&op_builder<Ops>::make...};
};
}  // namespace detail

}  // namespace crispnas::nn
