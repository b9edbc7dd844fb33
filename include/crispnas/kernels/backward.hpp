// The backward passes over one block of images of a state: (1) the sums that the gradients of op weights,
// edge weights and batch norms need, and the gradient of the bypass; (2) gradients of last units, pools and
// skips; (3) of first halves of separable convolutions. Between them the sums are completed.
#pragma once

#include <crispnas/kernels/forward.hpp>
#include <crispnas/kernels/pool_gradients.hpp>

namespace crispnas::kernels {

/// Pass 1.
struct backward_sums {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    const int rows = job.rows_at_once();
    const std::ptrdiff_t row_size = std::ptrdiff_t{job.out_width} * L;
    const std::ptrdiff_t step = rows * row_size;
    T* largest = memory.take<T>(step);
    T* total = memory.take<T>(step);
    auto* sums = memory.zeros<double>(job.edge_sums_size * L);

    for (int y = 0; y < job.out_height; y += rows) {
      const int n = std::min(rows, job.out_height - y) * job.out_width;
      const std::ptrdiff_t offset = y * row_size;
      for (const auto& edge : job.edges) {
        const T* g = edge.gradient + block * job.channels * job.out_plane() + offset;
        const std::ptrdiff_t g_step = job.partial * job.out_plane();
        double* at = sums + edge.sums * L;
        for (int j = 0; j < job.seen; ++j, at += L) add_sum<S>(g + j * g_step, at, n);
        for (const auto& term : job.terms_of(edge)) {
          if (term.norm < 0 && !job.wanted.coefficients) {
            at += job.seen * L;
            continue;
          }
          for (int j = 0; j < job.seen; ++j, at += L) {
            const T mean = term.norm < 0 ? T(0) : job.mean[job.norm_channel(term.norm, j)];
            add_product<S>(g + j * g_step, job.term_plane(term, block, j) + offset, mean, at, n);
          }
        }
      }
      if (!job.wanted.input && !job.wanted.coefficients) continue;
      for (int i = 0; i < job.channels - job.seen; ++i) bypass<S>(job, block, i, y, n, largest, total, sums);
    }
    const int valid = job.valid_lanes(block);
    double* to = job.edge_sums + block * job.edge_sums_size;
    for (std::int64_t i = 0; i < job.edge_sums_size; ++i) to[i] = lane_sum(sums + i * L, valid);
  }

  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void bypass(const state_job<T>& job, std::int64_t block, int i, int y, int n,
                                     T* largest, T* total, double* sums) {
    constexpr int L = S::lanes;
    const std::ptrdiff_t step = std::ptrdiff_t{job.out_width} * L;
    const T* in = job.state(block, job.seen + i);
    const T* row = in + y * step;
    if (job.stride == 2) {
      max_2x2_row<S>(in, job.width, y, largest, n);
      row = largest;
    }
    T* dx = job.wanted.input ? job.dx + (block * job.channels + job.seen + i) * job.in_plane() : nullptr;
    T* to = job.stride == 2 || !job.wanted.input ? total : dx + y * step;
    bool fresh = true;
    for (const auto& edge : job.edges) {
      const T* g = edge.gradient + (block * job.channels + job.bypass_to(i)) * job.out_plane() + y * step;
      const auto terms = static_cast<std::int64_t>(edge.terms);
      if (job.wanted.coefficients)
        add_product<S>(g, row, T(0), sums + (edge.sums + (1 + terms) * job.seen) * L, n);
      if (job.wanted.input) forward_mix::put<S>(g, edge.weight, to, fresh, n);
      fresh = false;
    }
    if (job.wanted.input && job.stride == 2) max_2x2_back_row<S>(in, largest, total, job.width, y, dx, n);
  }
};

/// Adds max'(x) * from to dx, or writes it plus what is there.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_rectified_gradient(const state_job<T>& job, std::int64_t block,
                                            const padded<T>& from) {
  constexpr int L = S::lanes;
  const typename S::vec zero{};
  for (int c = 0; c < job.seen; ++c) {
    const T* in = job.state(block, c);
    T* dx = job.dx + (block * job.channels + c) * job.in_plane();
    for (int y = 0; y < job.height; ++y) {
      const T* row = from.pixel(c, y, 0, L);
      for (int x = 0; x < job.width; ++x, in += L, dx += L) {
        S::at(dx) += S::at(in) > zero ? S::at(row + x * L) : zero;
      }
    }
  }
}

/// What both backward passes of units need for a block.
template <class T>
struct unit_buffers {
  T* dz;           // [seen, out_w]
  T* row;          // [2 seen, out_w]: u, or its gradient
  T* weight_sums;  // [largest unit]
};

/// Row y of a unit: from the gradient g of its normalized z (channels g_step apart) to the gradients of its
/// weights and of its input. `inputs` are the padded planes that the unit reads; `dinputs` its padded
/// gradient, added to at stride 2 and stride 1 alike.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void unit_backward_row(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                       int y, const T* g, std::ptrdiff_t g_step, const affine<T>* k,
                                       const padded<T>& inputs, const padded<T>& du, const padded<T>& dinputs,
                                       const unit_buffers<T>& own) {
  constexpr int L = S::lanes;
  const int n = job.out_width;
  const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
  const T* z = job.unit_z(unit, block) + y * step;
  for (int j = 0; j < job.seen; ++j)
    affine_row<S>(k[j], g + j * g_step + y * step, z + j * job.out_plane(), own.dz + j * step, n);
  if (unit.kind == gather::dense) {
    const T* w = unit.pointwise;
    T* sums = own.weight_sums;
    const std::ptrdiff_t size = std::ptrdiff_t{job.seen} * job.seen;
    for (int ky = 0; ky < unit.kernel; ++ky) {
      for (int kx = 0; kx < unit.kernel; ++kx, w += size, sums += size * L) {
        if (job.wanted.weights) {
          outer<S>(job.seen, job.seen, own.dz, step,
                   inputs.pixel(0, y + ky - unit.padding(), kx - unit.padding(), L), inputs.plane, sums,
                   std::ptrdiff_t{job.seen} * L, n);
        }
        pointwise<S, true>(matrix<T>{w, 1, job.seen}, job.seen, job.seen, own.dz, step,
                           dinputs.pixel(0, y + ky - unit.padding(), kx - unit.padding(), L), dinputs.plane,
                           n);
      }
    }
    return;
  }
  if (job.wanted.weights) {
    gather_row<S>(job, unit, block, inputs, y, own.row, step);
    outer<S>(job.seen, unit.channels, own.dz, step, own.row, step, own.weight_sums,
             std::ptrdiff_t{unit.channels} * L, n);
  }
  const matrix<T> transposed{unit.pointwise, 1, unit.channels};
  if (unit.kind == gather::sampled) {
    pointwise<S, false>(transposed, unit.channels, job.seen, own.dz, step, own.row, step, n);
    for (int c = 0; c < unit.channels; ++c) {
      const int shift = c >= job.seen ? 1 : 0;
      T* to = dinputs.pixel(c - shift * job.seen, y * unit.stride + shift, shift, L);
      for (int x = 0; x < n; ++x) S::at(to + x * unit.stride * L) += S::at(own.row + c * step + x * L);
    }
    return;
  }
  T* du_row = du.pixel(0, y, 0, L);
  pointwise<S, false>(transposed, unit.channels, job.seen, own.dz, step, du_row, du.plane, n);
  T* sums = own.weight_sums + unit.pointwise_size * L;
  const int taps = unit.kernel * unit.kernel;
  for (int c = 0; c < unit.channels; ++c) {
    if (job.wanted.weights) {
      const T* from = inputs.pixel(c, y * unit.stride - unit.padding(), -unit.padding(), L);
      depthwise_weight_row<S>(unit.kernel, unit.stride, unit.dilation, du_row + c * du.plane, from,
                              inputs.row, sums + std::ptrdiff_t{c} * taps * L, n);
    }
    if (unit.stride != 1) {
      depthwise_scatter_row<S>(
          unit.kernel, unit.stride, unit.dilation, unit.depthwise + c * taps, du_row + c * du.plane,
          dinputs.pixel(c, y * unit.stride - unit.padding(), -unit.padding(), L), dinputs.row, n);
    }
  }
}

template <class T>
inline void store_weight_sums(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                              const T* sums) {
  if (!job.wanted.weights) return;
  const int valid = job.valid_lanes(block);
  double* to = job.weight_sums + block * job.weight_sums_size + unit.gradients;
  const std::int64_t size = unit.weights_size();
  for (std::int64_t i = 0; i < size; ++i) to[i] = lane_sum(sums + i * job.lanes, valid);
}

/// One input row of the gradient of a stride 1 depthwise convolution, channel c, from the padded du.
template <class S, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_back_row(const conv_unit<T>& unit, const padded<T>& du, int c, int y, T* to,
                                        int n) {
  const T* w = unit.turned + std::ptrdiff_t{c} * unit.kernel * unit.kernel;
  depthwise_row<S, Add>(unit.kernel, 1, unit.dilation, w,
                        du.pixel(c, y - unit.padding(), -unit.padding(), S::lanes), du.row, to, n);
}

/// Buffers that passes 2 and 3 share, and the padded planes of the state.
template <class S, class T = typename S::scalar>
struct backward_planes {
  scratch& memory = scratch::of_this_thread();
  padded<T> inputs, dinputs;
  unit_buffers<T> own;

  CRISPNAS_INLINE backward_planes(const state_job<T>& job, std::int64_t block)
      : inputs(memory, job.depthwise && job.wanted.weights ? job.seen : 0, job.height, job.width, job.padding,
               S::lanes),
        dinputs(memory, job.seen, job.height, job.width, job.padding, S::lanes) {
    std::memset(static_cast<void*>(dinputs.data), 0,
                static_cast<std::size_t>(dinputs.plane * job.seen) * sizeof(T));
    if (job.depthwise && job.wanted.weights) {
      for (int c = 0; c < job.seen; ++c)
        pad_rectified<S>(job.state(block, c), job.height, job.width, inputs, c);
    }
    const std::int64_t row = std::int64_t{job.out_width} * S::lanes;
    own.dz = memory.take<T>(job.seen * row);
    own.row = memory.take<T>(2 * job.seen * row);
    std::int64_t largest = 0;
    for (const auto& unit : job.units) largest = std::max(largest, unit.weights_size());
    own.weight_sums = memory.take<T>(largest * S::lanes);
  }
  CRISPNAS_INLINE void start(const conv_unit<T>& unit) const {
    const std::int64_t size = unit.weights_size();
    std::memset(static_cast<void*>(own.weight_sums), 0,
                static_cast<std::size_t>(size * S::lanes) * sizeof(T));
  }
};

/// Adds the input gradient of a stride 1 unit that reads the state.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_input_gradient(const state_job<T>& job, const conv_unit<T>& unit,
                                        const padded<T>& du, const padded<T>& dinputs) {
  if (unit.kind != gather::depthwise || unit.stride != 1) return;
  for (int c = 0; c < job.seen; ++c) {
    for (int y = 0; y < job.height; ++y) {
      depthwise_back_row<S, true>(unit, du, c, y, dinputs.pixel(c, y, 0, S::lanes), job.width);
    }
  }
}

template <class T>
inline int widest_padding(const state_job<T>& job) {
  int padding = 0;
  for (const auto& unit : job.units) padding = std::max(padding, unit.padding());
  return padding;
}

/// Pass 2.
struct backward_last {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    const backward_planes<S> shared(job, block);
    const unit_buffers<T>& own = shared.own;
    const int n = job.out_width;
    const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
    const padded<T> du(shared.memory, job.seen, job.out_height, n, widest_padding(job), L);
    const padded<T> hidden(shared.memory, job.seen, job.out_height, n, widest_padding(job), L);
    auto* unit_sums = shared.memory.template take<double>(std::int64_t{2} * job.seen * L);
    for (int c = 0; c < job.seen; ++c) {
      clear_border<S>(du, c, job.out_height, n);
      clear_border<S>(hidden, c, job.out_height, n);
    }

    for (const auto& edge : job.edges) {
      const auto terms = job.terms_of(edge);
      const T* gradient = edge.gradient + block * job.channels * job.out_plane();
      for (std::size_t t = 0; t < terms.size(); ++t) {
        if (terms[t].from != source::unit) continue;
        const auto& unit = job.units[static_cast<std::size_t>(terms[t].unit)];
        const affine<T>* k = job.term_gradient(edge, t);
        if (unit.parent >= 0)
          pad_normalized<S>(job, job.units[static_cast<std::size_t>(unit.parent)], block, hidden);
        shared.start(unit);
        for (int y = 0; y < job.out_height; ++y) {
          unit_backward_row<S>(job, unit, block, y, gradient, job.partial * job.out_plane(), k,
                               unit.parent < 0 ? shared.inputs : hidden, du, shared.dinputs, own);
        }
        store_weight_sums(job, unit, block, own.weight_sums);
        if (unit.parent < 0) {
          add_input_gradient<S>(job, unit, du, shared.dinputs);
        } else {
          through_norm<S>(job, unit, block, du, hidden, unit_sums);
        }
      }
    }
    T* total = shared.memory.template take<T>(3 * step);
    auto* factors = shared.memory.template take<affine<T>>(static_cast<std::int64_t>(job.edges.size()));
    pool_gradients::run<S>(job, block, total, factors);
    add_rectified_gradient<S>(job, block, shared.dinputs);
  }

  /// The gradient behind the ReLU between the halves of a separable convolution, kept for pass 3, and its
  /// sums.
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void through_norm(const state_job<T>& job, const conv_unit<T>& unit,
                                           std::int64_t block, const padded<T>& du, const padded<T>& hidden,
                                           double* sums) {
    constexpr int L = S::lanes;
    const auto& parent = job.units[static_cast<std::size_t>(unit.parent)];
    const int n = job.out_width;
    const typename S::vec zero{};
    T* dy = job.unit_dy(parent, block);
    std::memset(static_cast<void*>(sums), 0, static_cast<std::size_t>(2 * job.seen * L) * sizeof(double));
    for (int c = 0; c < job.seen; ++c) {
      for (int y = 0; y < job.out_height; ++y, dy += n * L) {
        depthwise_back_row<S, false>(unit, du, c, y, dy, n);
        const T* h = hidden.pixel(c, y, 0, L);
        for (int x = 0; x < n; ++x) S::at(dy + x * L) = S::at(h + x * L) > zero ? S::at(dy + x * L) : zero;
        add_sum<S>(dy, sums + std::ptrdiff_t{2} * c * L, n);
        add_product<S>(dy, h, T(0), sums + (std::ptrdiff_t{2} * c + 1) * L, n);
      }
    }
    const int valid = job.valid_lanes(block);
    const auto units = static_cast<std::int64_t>(job.units.size());
    double* to = job.unit_sums + (block * units + unit.parent) * 2 * job.seen;
    for (int i = 0; i < 2 * job.seen; ++i) to[i] = lane_sum(sums + std::ptrdiff_t{i} * L, valid);
  }
};

/// Pass 3.
struct backward_first {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    const backward_planes<S> shared(job, block);
    const unit_buffers<T>& own = shared.own;
    const int n = job.out_width;
    const padded<T> du(shared.memory, job.seen, job.out_height, n, widest_padding(job), L);
    for (int c = 0; c < job.seen; ++c) clear_border<S>(du, c, job.out_height, n);
    for (std::size_t i = 0; i < job.units.size(); ++i) {
      const auto& unit = job.units[i];
      if (unit.last) continue;
      const affine<T>* k = job.unit_gradients.data() + i * static_cast<std::size_t>(job.seen);
      const T* dy = job.unit_dy(unit, block);
      shared.start(unit);
      for (int y = 0; y < job.out_height; ++y)
        unit_backward_row<S>(job, unit, block, y, dy, job.out_plane(), k, shared.inputs, du, shared.dinputs,
                             own);
      store_weight_sums(job, unit, block, own.weight_sums);
      add_input_gradient<S>(job, unit, du, shared.dinputs);
    }
    add_rectified_gradient<S>(job, block, shared.dinputs);
  }
};

}  // namespace crispnas::kernels
