// The plan of one state's mixed operations in the form that kernels read: with sizes, pointers and offsets.
// Bound for every call; knows no tensor library and no device.
#pragma once

#include <algorithm>
#include <cmath>
#include <crispnas/kernels/plan.hpp>
#include <cstdint>
#include <span>
#include <vector>

namespace crispnas::kernels {

/// A gather of input pixels, u, and a pointwise product of it, z = w u. Only z is stored: all passes read it,
/// while u is asked for once more by the gradients of weights alone, which make it again. A dense convolution
/// has no u. `parent` counts the units of the job, from which a cut may have taken some of the plan's.
template <class T>
struct conv_unit : unit_plan {
  int channels = 0;                 ///< of u; sampled: c, or 2 c for two sampling grids
  const T* depthwise = nullptr;     ///< [channels, kernel, kernel]
  const T* turned = nullptr;        ///< the same, each kernel turned by 180 degrees
  const T* pointwise = nullptr;     ///< [c, channels]; dense: [kernel, kernel, c, c]
  const T* bias = nullptr;          ///< [c] or null
  std::int64_t pointwise_size = 0;  ///< scalars of it
  std::int64_t depthwise_size = 0;
  std::int64_t z = 0;   ///< offset into the storage of all z, [blocks, c, out_h, out_w, lanes]
  std::int64_t dy = 0;  ///< units with a successor: offset into the storage of the gradients of normalized z
  int norm = 0;
  int slot = 0;                ///< of its statistics
  std::int64_t gradients = 0;  ///< offset of its weight gradients (pointwise, depthwise) in a block's row
  std::int64_t weights_size() const { return pointwise_size + depthwise_size; }
};

/// What an edge adds up: weight * norm(z).
struct edge_term {
  source from = source::unit;
  int op = 0;
  int unit = -1;
  int norm = -1;  ///< -1: not normalized
};

template <class T>
struct job_edge {
  int row = 0;     ///< of the gradients of op weights and edge weights
  int target = 0;  ///< among the nodes that take part
  T weight = 1;
  std::size_t op_weights = 0;  ///< offset into the job's
  std::size_t first_term = 0;
  std::size_t terms = 0;
  std::int64_t sums = 0;  ///< offset of its sums (g; g (z - mean) of each term; bypass) in a block's row
  T* out = nullptr;       ///< forward: the node
  bool first = false;     ///< forward: the node has nothing yet
  const T* gradient = nullptr;  ///< backward: of the node
};

/// What batch norm does in a pass.
struct norm_mode {
  bool training = true;  ///< statistics of the batch; else the running ones
  bool update = true;    ///< training only: the running statistics are moved
};

/// Running statistics that a pass moves, [channels] each; null: none.
template <class T>
struct running_statistics {
  T* mean = nullptr;
  T* variance = nullptr;
};

/// A batch norm: z -> (z - mean) * scale.
struct norm_plan {
  int slot = 0;        ///< where the sums of its z are
  bool batch = false;  ///< statistics of this batch, so that gradients flow through them
};

/// dz = a g + b (z - mean) + c, per channel: the gradient of a batch norm whose output has gradient g (up to a
/// factor).
template <class T>
struct affine {
  T a = 0, b = 0, c = 0, mean = 0;
};

/// Which gradients a backward pass is asked for: an architecture step needs none of weights, a weight step
/// none of op and edge weights.
struct wanted_gradients {
  bool input = true;
  bool coefficients = true;  ///< op weights or edge weights
  bool weights = true;
};

template <class T>
struct state_job {
  // geometry
  std::int64_t batch = 0, blocks = 0;
  int lanes = 1, channels = 0, partial = 1, seen = 0;  // seen = channels / partial
  int height = 0, width = 0, stride = 1, out_height = 0, out_width = 0;
  int padding = 0;         ///< the widest of the units that read the state
  bool depthwise = false;  ///< some unit reads the padded state

  std::vector<conv_unit<T>> units;
  std::vector<job_edge<T>> edges;
  std::vector<edge_term> terms;  ///< of all edges, one after the other
  std::vector<T> op_weights;     ///< [edges, ops]
  std::vector<norm_plan> norms;
  bool maximum = false, average = false;
  int slots = 0, maximum_slot = -1, average_slot = -1;
  std::vector<T> mean, scale;  ///< [norms, seen]

  const T* x = nullptr;  ///< [blocks, channels, height, width, lanes]
  T* z = nullptr;
  T* pooled = nullptr;     ///< [maximum, average][blocks, seen, out_h, out_w, lanes]
  double* sums = nullptr;  ///< forward: [blocks, slots, seen, 2]: moments (gather_moments)

  // backward
  wanted_gradients wanted;
  T* dx = nullptr;
  T* dy = nullptr;
  double* edge_sums = nullptr;  ///< [blocks, edge_sums_size]
  std::int64_t edge_sums_size = 0;
  double* weight_sums = nullptr;  ///< [blocks, weight_sums_size]
  std::int64_t weight_sums_size = 0;
  double* unit_sums =
      nullptr;  ///< [blocks, units, seen, 2]: sums of dy and dy * normalized z of units with a successor
  std::vector<affine<T>> term_gradients;  ///< [terms, seen]
  std::vector<affine<T>> unit_gradients;  ///< [units, seen]

  std::int64_t in_plane() const { return std::int64_t{height} * width * lanes; }
  std::int64_t out_plane() const { return std::int64_t{out_height} * out_width * lanes; }
  std::span<const edge_term> terms_of(const job_edge<T>& edge) const {
    return {terms.data() + edge.first_term, edge.terms};
  }
  T op_weight(const job_edge<T>& edge, const edge_term& term) const {
    return op_weights[edge.op_weights + static_cast<std::size_t>(term.op)];
  }
  /// [seen] of term t of an edge.
  const affine<T>* term_gradient(const job_edge<T>& edge, std::size_t t) const {
    return term_gradients.data() + (edge.first_term + t) * static_cast<std::size_t>(seen);
  }
  /// Channel j of a norm in `mean` and `scale`.
  std::size_t norm_channel(int norm, int j) const {
    return static_cast<std::size_t>(norm) * static_cast<std::size_t>(seen) + static_cast<std::size_t>(j);
  }
  int valid_lanes(std::int64_t block) const {
    return static_cast<int>(std::min<std::int64_t>(lanes, batch - block * lanes));
  }
  const T* state(std::int64_t block, int channel) const {
    return x + (block * channels + channel) * in_plane();
  }
  T* unit_z(const conv_unit<T>& unit, std::int64_t block) const {
    return z + unit.z + block * seen * out_plane();
  }
  T* unit_dy(const conv_unit<T>& unit, std::int64_t block) const {
    return dy + unit.dy + block * seen * out_plane();
  }
  T* pool(bool is_average, std::int64_t block) const {
    const std::int64_t skip = is_average && maximum ? blocks : 0;
    return pooled + (skip + block) * seen * out_plane();
  }
  /// What a term of an edge weighs, before normalization: channel j of a block.
  const T* term_plane(const edge_term& term, std::int64_t block, int j) const {
    if (term.from == source::identity) return state(block, j);
    const T* planes = term.from == source::unit ? unit_z(units[static_cast<std::size_t>(term.unit)], block)
                                                : pool(term.from == source::average, block);
    return planes + j * out_plane();
  }
  /// Rows that passes without a window handle together: long runs of memory, and results that stay in the
  /// nearest cache.
  int rows_at_once() const {
    return stride == 2 ? 1 : std::clamp(512 / (std::max(seen, 1) * out_width), 1, out_height);
  }
  /// Node channel that seen channel j, or bypassed channel i, moves to: the channel shuffle.
  int seen_to(int j) const { return j * partial; }
  int bypass_to(int i) const { return i % seen * partial + i / seen + 1; }
};

/// Sum of the lanes that hold images.
template <class T>
inline double lane_sum(const T* v, int valid) {
  double sum[4]{};
  int l = 0;
  for (; l + 4 <= valid; l += 4) {
    for (int i = 0; i < 4; ++i) sum[i] += static_cast<double>(v[l + i]);
  }
  for (; l < valid; ++l) sum[0] += static_cast<double>(v[l]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace crispnas::kernels
