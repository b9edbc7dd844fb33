// What does the fused mixed operation need to know beside its plan? Plain run-time tables: weights, edges,
// geometry.
#pragma once

#include <ATen/core/Tensor.h>

#include <crispnas/kernels/job.hpp>
#include <cstdint>
#include <vector>

namespace crispnas::kernels {

/// Running statistics of one batch norm (no scale and shift, eps 1e-5, momentum 0.1); updated in place when
/// training.
struct norm_state {
  at::Tensor mean;      // [channels]
  at::Tensor variance;  // [channels]
};

/// Whether running statistics are what kernels read.
inline bool fits(const norm_state& norm, std::int64_t channels, at::ScalarType type) {
  const auto one = [&](const at::Tensor& t) {
    return t.defined() && t.numel() == channels && t.is_contiguous() && t.scalar_type() == type;
  };
  return one(norm.mean) && one(norm.variance);
}

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
};

/// One edge that leaves the state. `ops` in the order of the columns of op_weights.
struct mixed_edge {
  std::int64_t target = 0;  ///< index into the list of nodes
  std::vector<op_params> ops;
};

/// Geometry that all edges of a state share.
struct state_shape {
  std::int64_t batch = 0;    ///< images; the blocked tensors hold this rounded up to whole vectors
  std::int64_t partial = 1;  ///< K: the operations see channels / K, the rest passes by
  std::int64_t stride = 1;   ///< 1 or 2
};

}  // namespace crispnas::kernels
