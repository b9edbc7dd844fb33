// How do images lie in memory for the fused kernels? Blocked: [ceil(batch / lanes), channels, height, width,
// lanes]; a pixel of `lanes` images is one vector, so that every tap of every convolution is a contiguous
// load. Missing images are zeros.
#pragma once

#include <crispnas/kernels/once.hpp>
#include <crispnas/kernels/parallel.hpp>
#include <crispnas/kernels/separate.hpp>
#include <crispnas/kernels/vec.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <string>
#include <vector>

namespace crispnas::kernels {

namespace detail {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Copies channels between [batch, channels, h, w] and a blocked tensor.
template <class T, bool Pack>
void repack(T* plain, std::int64_t plain_channels, std::int64_t first, T* blocked, std::int64_t channels,
            std::int64_t batch, std::int64_t plane) {
  const std::int64_t width = lanes<T>();
  const std::int64_t blocks = (batch + width - 1) / width;
  parallel_blocks(blocks, [&](std::int64_t block) {
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      T* to = blocked + (block * channels + channel) * plane * width;
      T* from = plain + (block * width * plain_channels + first + channel) * plane;
      const std::int64_t valid = std::min(width, batch - block * width);
      const std::int64_t image = plain_channels * plane;
      if (Pack && valid < width) std::fill(to, to + plane * width, T(0));
      for (std::int64_t p = 0; p < plane; ++p) {
        for (std::int64_t l = 0; l < valid; ++l) {
          if constexpr (Pack) {
            to[p * width + l] = from[l * image + p];
          } else {
            from[l * image + p] = to[p * width + l];
          }
        }
      }
    }
  });
}

template <class T>
at::Tensor pack(const at::Tensor& given) {
  const at::Tensor x = given.contiguous();
  const std::int64_t width = lanes<T>();
  at::Tensor out = workspace::of_process().take(
      {(x.size(0) + width - 1) / width, x.size(1), x.size(2), x.size(3), width}, x.options());
  repack<T, true>(const_cast<T*>(x.const_data_ptr<T>()), x.size(1), 0, out.data_ptr<T>(), x.size(1),
                  x.size(0), x.size(2) * x.size(3));
  return out;
}

template <class T>
at::Tensor unpack(at::TensorList parts, std::int64_t batch) {
  std::int64_t channels = 0;
  for (const auto& part : parts) channels += part.size(1);
  at::Tensor out =
      workspace::of_process().take({batch, channels, parts[0].size(2), parts[0].size(3)}, parts[0].options());
  std::int64_t first = 0;
  for (const auto& given : parts) {
    const at::Tensor part = given.contiguous();
    repack<T, false>(out.data_ptr<T>(), channels, first, const_cast<T*>(part.const_data_ptr<T>()),
                     part.size(1), batch, part.size(2) * part.size(3));
    first += part.size(1);
  }
  return out;
}

inline at::Tensor pack_any(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? pack<double>(x) : pack<float>(x);
}
inline at::Tensor unpack_any(at::TensorList parts, std::int64_t batch) {
  return parts[0].scalar_type() == at::kDouble ? unpack<double>(parts, batch) : unpack<float>(parts, batch);
}

struct to_blocked_function : torch::autograd::Function<to_blocked_function> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x) {
    ctx->saved_data["batch"] = x.size(0);
    return pack_any(x);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    return once_differentiable({unpack_any({gradients[0]}, ctx->saved_data["batch"].toInt())});
  }
};

struct from_blocked_function : torch::autograd::Function<from_blocked_function> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList parts, std::int64_t batch) {
    std::vector<std::int64_t> channels;
    for (const auto& part : parts) channels.push_back(part.size(1));
    ctx->saved_data["channels"] = channels;
    return unpack_any(parts, batch);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    variable_list result;
    std::int64_t first = 0;
    for (const std::int64_t channels : ctx->saved_data["channels"].toIntVector()) {
      result.push_back(pack_any(gradients[0].slice(1, first, first + channels)));
      first += channels;
    }
    result = once_differentiable(std::move(result));
    result.emplace_back();
    return result;
  }
};

inline void expect_real(const at::Tensor& x, int dimensions) {
  if (x.dim() != dimensions || (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble) ||
      !x.is_cpu()) {
    throw error("crispnas::kernels: expected " +
                std::string(dimensions == 4 ? "[batch, channels, height, width]" : "a blocked tensor") +
                " of float32 or float64 on the CPU.");
  }
}

}  // namespace detail

/// [batch, channels, h, w] -> blocked. Differentiable.
CRISPNAS_KERNELS_INLINE at::Tensor to_blocked(const at::Tensor& x) {
  detail::expect_real(x, 4);
  return detail::to_blocked_function::apply(x);
}

/// Blocked tensors of one size -> their concatenation [batch, sum of channels, h, w]. Differentiable.
CRISPNAS_KERNELS_INLINE at::Tensor from_blocked(const std::vector<at::Tensor>& parts, std::int64_t batch) {
  if (parts.empty()) throw error("crispnas::kernels::from_blocked: no tensor is given.");
  for (const auto& part : parts) {
    detail::expect_real(part, 5);
    const std::int64_t width = part.scalar_type() == at::kDouble ? lanes<double>() : lanes<float>();
    if (part.scalar_type() != parts[0].scalar_type() || part.size(4) != width || batch < 1 ||
        part.size(0) != (batch + width - 1) / width || part.size(2) != parts[0].size(2) ||
        part.size(3) != parts[0].size(3)) {
      throw error("crispnas::kernels::from_blocked: the tensors are not blocked tensors of " +
                  std::to_string(batch) + " images, one size and one type: make them with to_blocked.");
    }
  }
  return detail::from_blocked_function::apply(at::TensorList(parts), batch);
}
CRISPNAS_KERNELS_INLINE at::Tensor from_blocked(const at::Tensor& x, std::int64_t batch) {
  return from_blocked(std::vector<at::Tensor>{x}, batch);
}

}  // namespace crispnas::kernels
