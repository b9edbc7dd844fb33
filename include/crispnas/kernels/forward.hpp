// The forward passes over one block of images of a state: (1) units that read the state, and pools; (2)
// second halves of separable convolutions; (3) what each edge adds to its node. Between them the statistics
// are completed.
#pragma once

#include <crispnas/kernels/job.hpp>
#include <crispnas/kernels/planes.hpp>
#include <crispnas/kernels/pools.hpp>
#include <crispnas/kernels/rows.hpp>
#include <crispnas/kernels/sums.hpp>

namespace crispnas::kernels {

/// z += bias
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_bias(const conv_unit<T>& unit, int channels, T* z, std::ptrdiff_t z_step, int n) {
  if (unit.bias == nullptr) return;
  for (int j = 0; j < channels; ++j, z += z_step) {
    const typename S::vec bias = typename S::vec{} + unit.bias[j];
    for (int x = 0; x < n; ++x) S::at(z + x * S::lanes) += bias;
  }
}

/// u of output row y: a depthwise convolution of padded planes, or rectified pixels of one or two sampling
/// grids.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void gather_row(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                const padded<T>& planes, int y, T* u, std::ptrdiff_t u_step) {
  constexpr int L = S::lanes;
  const int n = job.out_width;
  for (int c = 0; c < unit.channels; ++c, u += u_step) {
    if (unit.kind == gather::depthwise) {
      const T* from = planes.pixel(c, y * unit.stride - unit.padding(), -unit.padding(), L);
      depthwise_row<S, false>(unit.kernel, unit.stride, unit.dilation,
                              unit.depthwise + c * unit.kernel * unit.kernel, from, planes.row, u, n);
      continue;
    }
    const int shift = c >= job.seen ? 1 : 0;  // the second sampling grid is one pixel further
    const T* from = job.state(block, c - shift * job.seen) +
                    std::ptrdiff_t{(y * unit.stride + shift) * job.width + shift} * L;
    for (int x = 0; x < n; ++x) put_rectified<S>(S::at(from + x * unit.stride * L), u + x * L);
  }
}

/// One output row of a dense convolution of stride 1: a pointwise product for each tap.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void dense_row(const state_job<T>& job, const conv_unit<T>& unit, const padded<T>& planes,
                               int y, T* z, std::ptrdiff_t z_step) {
  const int n = job.out_width;
  const T* w = unit.pointwise;
  for (int ky = 0; ky < unit.kernel; ++ky) {
    for (int kx = 0; kx < unit.kernel; ++kx, w += std::ptrdiff_t{job.seen} * job.seen) {
      const T* from = planes.pixel(0, y + ky - unit.padding(), kx - unit.padding(), S::lanes);
      const matrix<T> m{w, job.seen, 1};
      if (ky == 0 && kx == 0) {
        pointwise<S, false>(m, job.seen, job.seen, from, planes.plane, z, z_step, n);
      } else {
        pointwise<S, true>(m, job.seen, job.seen, from, planes.plane, z, z_step, n);
      }
    }
  }
  add_bias<S>(unit, job.seen, z, z_step, n);
}

/// Moments of a block's planes of z.
template <class T>
inline void store_moments(const state_job<T>& job, std::int64_t block, int slot, const T* z,
                          const double* sums) {
  gather_moments(job.seen, job.lanes, job.valid_lanes(block), double(job.out_height) * job.out_width, z,
                 job.out_plane(), sums, job.sums + (block * job.slots + slot) * job.seen * 2);
}

/// z of a unit from padded planes, and its moments. `u` holds a row of all channels.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void unit_forward(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                  const padded<T>& planes, T* u, double* sums) {
  const int n = job.out_width;
  const std::ptrdiff_t step = std::ptrdiff_t{n} * S::lanes;
  std::memset(static_cast<void*>(sums), 0,
              static_cast<std::size_t>(2 * job.seen * S::lanes) * sizeof(double));
  const bool batch_norm = job.norms[static_cast<std::size_t>(unit.norm)].batch;
  T* const planes_of_z = job.unit_z(unit, block);
  T* z = planes_of_z;
  for (int y = 0; y < job.out_height; ++y, z += step) {
    if (unit.kind == gather::dense) {
      dense_row<S>(job, unit, planes, y, z, job.out_plane());
    } else {
      gather_row<S>(job, unit, block, planes, y, u, step);
      pointwise<S, false>(matrix<T>{unit.pointwise, unit.channels, 1}, job.seen, unit.channels, u, step, z,
                          job.out_plane(), n);
      add_bias<S>(unit, job.seen, z, job.out_plane(), n);
    }
    if (batch_norm) add_moments<S>(job.seen, z, job.out_plane(), planes_of_z, job.out_plane(), sums, n);
  }
  if (batch_norm) store_moments(job, block, unit.slot, planes_of_z, sums);
}

/// h = max((z - mean) * scale, 0) of a unit for the unit that follows it, inside the border of `to`.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void pad_normalized(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                    const padded<T>& to) {
  constexpr int L = S::lanes;
  const int n = job.out_width;
  const T* z = job.unit_z(unit, block);
  for (int j = 0; j < job.seen; ++j) {
    const std::size_t at = job.norm_channel(unit.norm, j);
    const typename S::vec mean = typename S::vec{} + job.mean[at];
    const typename S::vec scale = typename S::vec{} + job.scale[at];
    for (int y = 0; y < job.out_height; ++y, z += n * L) {
      T* row = to.pixel(j, y, 0, L);
      for (int x = 0; x < n; ++x) put_rectified<S>((S::at(z + x * L) - mean) * scale, row + x * L);
    }
  }
}

/// Pass 1.
struct forward_first {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* u = memory.take<T>(std::int64_t{2} * job.seen * job.out_width * L);
    auto* sums = memory.take<double>(std::int64_t{2} * job.seen * L);
    const padded<T> planes(memory, job.depthwise ? job.seen : 0, job.height, job.width, job.padding, L);
    if (job.depthwise) {
      for (int c = 0; c < job.seen; ++c)
        pad_rectified<S>(job.state(block, c), job.height, job.width, planes, c);
    }
    for (const auto& unit : job.units) {
      if (unit.parent < 0) unit_forward<S>(job, unit, block, planes, u, sums);
    }
    T* columns = memory.take<T>(std::int64_t{job.width} * L);
    if (job.maximum) pool<S, false>(job, block, columns, sums);
    if (job.average) pool<S, true>(job, block, columns, sums);
  }

  template <class S, bool Average, class T = typename S::scalar>
  static CRISPNAS_INLINE void pool(const state_job<T>& job, std::int64_t block, T* columns, double* sums) {
    const int n = job.out_width;
    const std::ptrdiff_t step = std::ptrdiff_t{n} * S::lanes;
    std::memset(sums, 0, static_cast<std::size_t>(2 * job.seen * S::lanes) * sizeof(double));
    const int slot = Average ? job.average_slot : job.maximum_slot;
    const bool batch_norm = std::any_of(job.norms.begin(), job.norms.end(), [&](const norm_plan& norm) {
      return norm.slot == slot && norm.batch;
    });
    T* const planes = job.pool(Average, block);
    for (int c = 0; c < job.seen; ++c) {
      T* const plane = planes + c * job.out_plane();
      T* out = plane;
      for (int y = 0; y < job.out_height; ++y, out += step) {
        pool_row<S, Average>(job.state(block, c), job.height, job.width, job.stride, y, columns, out, n);
        if (batch_norm) add_moments<S>(1, out, step, plane, 0, sums + c * 2 * S::lanes, n);
      }
    }
    if (batch_norm) store_moments(job, block, slot, planes, sums);
  }
};

/// Pass 2.
struct forward_second {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* u = memory.take<T>(std::int64_t{job.seen} * job.out_width * L);
    auto* sums = memory.take<double>(std::int64_t{2} * job.seen * L);
    int padding = 0;
    for (const auto& unit : job.units)
      padding = unit.parent >= 0 ? std::max(padding, unit.padding()) : padding;
    const padded<T> planes(memory, job.seen, job.out_height, job.out_width, padding, L);
    for (int c = 0; c < job.seen; ++c) clear_border<S>(planes, c, job.out_height, job.out_width);
    for (const auto& unit : job.units) {
      if (unit.parent < 0) continue;
      pad_normalized<S>(job, job.units[static_cast<std::size_t>(unit.parent)], block, planes);
      unit_forward<S>(job, unit, block, planes, u, sums);
    }
  }
};

/// Pass 3. Op weight, edge weight and a norm's scale fold into one factor for each term.
struct forward_mix {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    const int rows = job.rows_at_once();
    const std::ptrdiff_t row_size = std::ptrdiff_t{job.out_width} * L;
    T* largest = memory.take<T>(rows * row_size);
    std::size_t terms = 0;
    for (const auto& edge : job.edges) terms = std::max(terms, edge.terms);
    const T** from = memory.take<const T*>(static_cast<std::int64_t>(terms));
    T* factors = memory.take<T>(static_cast<std::int64_t>(terms));
    T* means = memory.take<T>(static_cast<std::int64_t>(terms));

    for (int y = 0; y < job.out_height; y += rows) {
      const int n = std::min(rows, job.out_height - y) * job.out_width;
      for (const auto& edge : job.edges) {
        const auto terms_of_edge = job.terms_of(edge);
        for (int j = 0; j < job.seen; ++j) {
          for (std::size_t t = 0; t < terms_of_edge.size(); ++t) {
            const edge_term& term = terms_of_edge[t];
            from[t] = job.term_plane(term, block, j) + y * row_size;
            factors[t] = edge.weight * job.op_weight(edge, term);
            means[t] = 0;
            if (term.norm < 0) continue;
            const std::size_t at = job.norm_channel(term.norm, j);
            factors[t] *= job.scale[at];
            means[t] = job.mean[at];
          }
          T* node = edge.out + (block * job.channels + job.seen_to(j)) * job.out_plane() + y * row_size;
          put_sum<S>(from, factors, means, static_cast<int>(edge.terms), node, edge.first, n);
        }
      }
      for (int i = 0; i < job.channels - job.seen; ++i) {
        const T* row = job.state(block, job.seen + i) + y * row_size;
        if (job.stride == 2) {
          max_2x2_row<S>(job.state(block, job.seen + i), job.width, y, largest, n);
          row = largest;
        }
        for (const auto& edge : job.edges) {
          T* node = edge.out + (block * job.channels + job.bypass_to(i)) * job.out_plane() + y * row_size;
          put<S>(row, edge.weight, node, edge.first, n);
        }
      }
    }
  }

  /// to (+)= sum over t of factors[t] * (from[t] - means[t])
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void put_sum(const T* const* from, const T* factors, const T* means, int terms,
                                      T* to, bool fresh, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) sum_tile<S, 8>(from, factors, means, terms, to, fresh, x);
    for (; x < n; ++x) sum_tile<S, 1>(from, factors, means, terms, to, fresh, x);
  }
  template <class S, int X, class T = typename S::scalar>
  static CRISPNAS_INLINE void sum_tile(const T* const* from, const T* factors, const T* means, int terms,
                                       T* to, bool fresh, int first) {
    constexpr int L = S::lanes;
    to += first * L;
    typename S::vec sum[X]{};
    for (int t = 0; t < terms; ++t) {
      const typename S::vec factor = typename S::vec{} + factors[t];
      const typename S::vec mean = typename S::vec{} + means[t];
      const T* row = from[t] + first * L;
      CRISPNAS_UNROLL
      for (int x = 0; x < X; ++x) sum[x] += (S::at(row + x * L) - mean) * factor;
    }
    CRISPNAS_UNROLL
    for (int x = 0; x < X; ++x) {
      if (fresh) {
        S::at(to + x * L) = sum[x];
      } else {
        S::at(to + x * L) += sum[x];
      }
    }
  }

  /// to (+)= factor * from
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void put(const T* from, T factor, T* to, bool fresh, int n) {
    constexpr int L = S::lanes;
    if (fresh) {
      for (int x = 0; x < n; ++x) S::at(to + x * L) = S::at(from + x * L) * factor;
    } else {
      for (int x = 0; x < n; ++x) S::at(to + x * L) += S::at(from + x * L) * factor;
    }
  }
};

}  // namespace crispnas::kernels
