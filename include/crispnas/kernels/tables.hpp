// What does the fused mixed operation need to know? Plain run-time tables: operations, weights, edges,
// geometry.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace crispnas::kernels {

/// Operations with a fused form (definitions: the DARTS and NAS-Bench-201 search spaces, convolutions without
/// affine norms).
enum class op_kind {
  none,
  max_pool_3x3,
  avg_pool_3x3,
  skip_connect,
  sep_conv_3x3,
  sep_conv_5x5,
  sep_conv_7x7,
  dil_conv_3x3,
  dil_conv_5x5,
  nor_conv_1x1,
  nor_conv_3x3,
};

/// The operation of a published name, if it has a fused form.
inline std::optional<op_kind> find_op(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, op_kind>, 11> names{{
      {"none", op_kind::none},
      {"max_pool_3x3", op_kind::max_pool_3x3},
      {"avg_pool_3x3", op_kind::avg_pool_3x3},
      {"skip_connect", op_kind::skip_connect},
      {"sep_conv_3x3", op_kind::sep_conv_3x3},
      {"sep_conv_5x5", op_kind::sep_conv_5x5},
      {"sep_conv_7x7", op_kind::sep_conv_7x7},
      {"dil_conv_3x3", op_kind::dil_conv_3x3},
      {"dil_conv_5x5", op_kind::dil_conv_5x5},
      {"nor_conv_1x1", op_kind::nor_conv_1x1},
      {"nor_conv_3x3", op_kind::nor_conv_3x3},
  }};
  for (const auto& [text, kind] : names) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

/// Whether the operation of this published name has a fused form at this stride.
inline bool supported(std::string_view name, std::int64_t stride = 1) {
  const auto kind = find_op(name);
  return kind.has_value() && (stride == 1 || *kind != op_kind::nor_conv_3x3);
}

/// Running statistics of one batch norm (no scale and shift, eps 1e-5, momentum 0.1); updated in place when
/// training.
struct norm_state {
  at::Tensor mean;      // [channels]
  at::Tensor variance;  // [channels]
};

/// One operation of one edge. Weights in order of use:
///   sep_conv: depthwise [c, 1, k, k], pointwise [c, c, 1, 1], depthwise, pointwise;   two norms
///   dil_conv: depthwise, pointwise;                                                   one norm
///   skip_connect at stride 2: conv_1 and conv_2 [c / 2, c, 1, 1];                      one norm (at stride
///   1: nothing) nor_conv_1x1, nor_conv_3x3 (stride 1): weight [c, c, k, k], and a bias [c] if any;  one norm
///   pools: no weights;                                            one norm, or none for pools that are not
///   normalized
/// with c = channels / partial.
struct op_params {
  op_kind kind = op_kind::none;
  std::vector<at::Tensor> weights;
  std::vector<norm_state> norms;
  bool used = true;  ///< false: the operation is cut and costs nothing (its weight gets gradient 0)
};

/// One edge that leaves the state. `ops` in the order of the columns of op_weights.
struct mixed_edge {
  std::int64_t target = 0;  ///< index into the list of nodes
  std::vector<op_params> ops;
};

/// What batch norm does in a pass.
struct norm_mode {
  bool training = true;  ///< statistics of the batch; else the running ones
  bool update = true;    ///< training only: the running statistics are moved
};

/// Geometry that all edges of a state share.
struct state_shape {
  std::int64_t batch = 0;    ///< images; the blocked tensors hold this rounded up to whole vectors
  std::int64_t partial = 1;  ///< K: the operations see channels / K, the rest passes by
  std::int64_t stride = 1;   ///< 1 or 2
};

}  // namespace crispnas::kernels
