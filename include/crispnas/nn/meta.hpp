// How does a step run on meta tensors? LibTorch has no shape functions in C++ for convolution and batch norm (they are written in
// Python), so on the meta device these stand-ins compute the shape and keep the autograd graph connected. Values do not exist.
#pragma once

#include <torch/types.h>

#include <optional>

namespace crispnas::nn::meta {

/// [batch, out, h', w'] that depends on x and on the weight.
inline at::Tensor connected(const at::Tensor& x, const at::Tensor& weight, std::int64_t channels,
                            std::int64_t h, std::int64_t w) {
  const at::Tensor of_image = x.sum({1, 2, 3}).view({-1, 1, 1, 1});
  at::Tensor sum = weight.defined() ? of_image + weight.sum() : of_image;
  return sum.expand({x.size(0), channels, h, w}).clone();
}

inline std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                std::int64_t padding, std::int64_t dilation) {
  return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

}  // namespace crispnas::nn::meta

namespace crispnas::nn {

/// max(x, 0), also on meta tensors, for which LibTorch's relu has no shape function.
inline at::Tensor rectified(const at::Tensor& x) { return x.is_meta() ? x * (x > 0) : at::relu(x); }

/// x held between two bounds, also on meta tensors, where the derivative of clamp has no shape function.
inline at::Tensor bounded(const at::Tensor& x, std::optional<double> low, std::optional<double> high) {
  if (x.is_meta()) return x * 1.0;
  return at::clamp(x, low ? std::optional<at::Scalar>(*low) : std::nullopt,
                   high ? std::optional<at::Scalar>(*high) : std::nullopt);
}

}  // namespace crispnas::nn
