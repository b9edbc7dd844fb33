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
  if (unit.bias.empty()) return;
  for (int j = 0; j < channels; ++j, z += z_step) {
    const typename S::vec bias = typename S::vec{} + unit.bias[static_cast<std::size_t>(j)];
    for (int x = 0; x < n; ++x) S::at(z + x * S::lanes) += bias;
  }
}

/// n pixels of z = w u (+ bias).
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void unit_row(const state_job<T>& job, const conv_unit<T>& unit, const T* u,
                              std::ptrdiff_t u_step, T* z, std::ptrdiff_t z_step, int n) {
  if (unit.kind == conv_unit<T>::gather::dense) {
    const auto bytes = static_cast<std::size_t>(n * S::lanes) * sizeof(T);
    for (int j = 0; j < job.seen; ++j) std::memcpy(z + j * z_step, u + j * u_step, bytes);
    return;
  }
  pointwise<S, false>(matrix<T>{unit.pointwise.data(), unit.channels, 1}, job.seen, unit.channels, u, u_step,
                      z, z_step, n);
  add_bias<S>(unit, job.seen, z, z_step, n);
}

/// One output row of a dense convolution of stride 1: a pointwise product for each tap.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void dense_row(const state_job<T>& job, const conv_unit<T>& unit, const padded<T>& planes,
                               int y, T* z, std::ptrdiff_t z_step) {
  const int n = job.out_width;
  const T* w = unit.pointwise.data();
  for (int ky = 0; ky < unit.kernel; ++ky) {
    for (int kx = 0; kx < unit.kernel; ++kx, w += job.seen * job.seen) {
      const T* from = planes.pixel(0, y + ky - unit.padding, kx - unit.padding, S::lanes);
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

template <class T>
inline void store_moments(const state_job<T>& job, std::int64_t block, int slot, const T* sums) {
  const int valid = job.valid_lanes(block);
  double* to = job.sums + (block * job.slots + slot) * job.seen * 2;
  for (int i = 0; i < 2 * job.seen; ++i) to[i] = lane_sum(sums + i * job.lanes, valid);
}

/// u of a unit from padded planes, and the moments of its z.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void unit_forward(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                  const padded<T>& planes, T* z, T* sums) {
  constexpr int L = S::lanes;
  const int n = job.out_width;
  const std::ptrdiff_t z_step = std::ptrdiff_t{n} * L;
  std::memset(sums, 0, static_cast<std::size_t>(2 * job.seen * L) * sizeof(T));
  T* u = job.unit_u(unit, block);
  for (int y = 0; y < job.out_height; ++y) {
    T* row = u + y * z_step;
    if (unit.kind == conv_unit<T>::gather::dense) {
      dense_row<S>(job, unit, planes, y, row, job.out_plane());
      add_moments<S>(job.seen, row, job.out_plane(), sums, n);
      continue;
    }
    for (int c = 0; c < unit.channels; ++c) {
      T* to = row + c * job.out_plane();
      if (unit.kind == conv_unit<T>::gather::depthwise) {
        const T* from = planes.pixel(c, y * unit.stride - unit.padding, -unit.padding, L);
        depthwise_row<S, false>(unit.kernel, unit.stride, unit.dilation,
                                unit.depthwise + c * unit.kernel * unit.kernel, from, planes.row, to, n);
      } else {
        const int shift = c >= job.seen ? 1 : 0;  // the second sampling grid is one pixel further
        const T* from = job.state(block, c - shift * job.seen) +
                        std::ptrdiff_t{(y * unit.stride + shift) * job.width + shift} * L;
        const typename S::vec zero{};
        for (int x = 0; x < n; ++x) {
          const auto& v = S::at(from + x * unit.stride * L);
          S::at(to + x * L) = v > zero ? v : zero;
        }
      }
    }
    if (!job.norms[static_cast<std::size_t>(unit.norm)].batch) continue;
    unit_row<S>(job, unit, row, job.out_plane(), z, z_step, n);
    add_moments<S>(job.seen, z, z_step, sums, n);
  }
  store_moments(job, block, unit.slot, sums);
}

/// h = max((z - mean) * scale, 0) of a unit, padded, for the unit that follows it.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void pad_normalized(const state_job<T>& job, const conv_unit<T>& unit, std::int64_t block,
                                    const padded<T>& to, T* z) {
  constexpr int L = S::lanes;
  const int n = job.out_width;
  const std::ptrdiff_t z_step = std::ptrdiff_t{n} * L;
  const T* u = job.unit_u(unit, block);
  const typename S::vec zero{};
  for (int j = 0; j < job.seen; ++j) clear_border<S>(to, j, job.out_height, n);
  for (int y = 0; y < job.out_height; ++y) {
    unit_row<S>(job, unit, u + y * z_step, job.out_plane(), z, z_step, n);
    for (int j = 0; j < job.seen; ++j) {
      const auto at = static_cast<std::size_t>(unit.norm * job.seen + j);
      const T mean = job.mean[at];
      const T scale = job.scale[at];
      T* row = to.pixel(j, y, 0, L);
      for (int x = 0; x < n; ++x) {
        const typename S::vec v = (S::at(z + j * z_step + x * L) - mean) * scale;
        S::at(row + x * L) = v > zero ? v : zero;
      }
    }
  }
}

/// Pass 1.
struct forward_first {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* z = memory.take<T>(std::int64_t{job.seen} * job.out_width * L);
    T* sums = memory.take<T>(std::int64_t{2} * job.seen * L);
    const padded<T> planes(memory, job.depthwise ? job.seen : 0, job.height, job.width, job.padding, L);
    if (job.depthwise) {
      for (int c = 0; c < job.seen; ++c)
        pad_rectified<S>(job.state(block, c), job.height, job.width, planes, c);
    }
    for (const auto& unit : job.units) {
      if (unit.parent < 0) unit_forward<S>(job, unit, block, planes, z, sums);
    }
    T* columns = memory.take<T>(std::int64_t{job.width} * L);
    if (job.maximum) pool<S, false>(job, block, columns, sums);
    if (job.average) pool<S, true>(job, block, columns, sums);
  }

  template <class S, bool Average, class T = typename S::scalar>
  static CRISPNAS_INLINE void pool(const state_job<T>& job, std::int64_t block, T* columns, T* sums) {
    const int n = job.out_width;
    const std::ptrdiff_t step = std::ptrdiff_t{n} * S::lanes;
    std::memset(sums, 0, static_cast<std::size_t>(2 * job.seen * S::lanes) * sizeof(T));
    T* out = job.pool(Average, block);
    for (int c = 0; c < job.seen; ++c) {
      for (int y = 0; y < job.out_height; ++y, out += step) {
        pool_row<S, Average>(job.state(block, c), job.height, job.width, job.stride, y, columns, out, n);
        add_moments<S>(1, out, step, sums + c * 2 * S::lanes, n);
      }
    }
    store_moments(job, block, Average ? job.average_slot : job.maximum_slot, sums);
  }
};

/// Pass 2.
struct forward_second {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* z = memory.take<T>(std::int64_t{job.seen} * job.out_width * L);
    T* sums = memory.take<T>(std::int64_t{2} * job.seen * L);
    int padding = 0;
    for (const auto& unit : job.units) padding = unit.parent >= 0 ? std::max(padding, unit.padding) : padding;
    const padded<T> planes(memory, job.seen, job.out_height, job.out_width, padding, L);
    for (const auto& unit : job.units) {
      if (unit.parent < 0) continue;
      pad_normalized<S>(job, job.units[static_cast<std::size_t>(unit.parent)], block, planes, z);
      unit_forward<S>(job, unit, block, planes, z, sums);
    }
  }
};

/// Pass 3. Normalization, op weights and edge weight fold into the pointwise weights.
struct forward_mix {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    const int rows = job.rows_at_once();
    const std::ptrdiff_t row_size = std::ptrdiff_t{job.out_width} * L;
    const std::ptrdiff_t step = rows * row_size;
    T* sum = memory.take<T>(job.seen * step);
    T* largest = memory.take<T>(step);
    std::int64_t folded_size = 1;
    for (const auto& unit : job.units) folded_size += unit.last ? unit.pointwise_size() : 0;  // at most
    T* folded = memory.take<T>(folded_size);
    T* constant = memory.take<T>(static_cast<std::int64_t>(job.edges.size()) * job.seen);
    fold(job, folded, constant);

    for (int y = 0; y < job.out_height; y += rows) {
      const int n = std::min(rows, job.out_height - y) * job.out_width;
      const T* w = folded;
      for (std::size_t e = 0; e < job.edges.size(); ++e) {
        const auto& edge = job.edges[e];
        for (int j = 0; j < job.seen; ++j) {
          const typename S::vec start =
              typename S::vec{} +
              constant[e * static_cast<std::size_t>(job.seen) + static_cast<std::size_t>(j)];
          for (int x = 0; x < n; ++x) S::at(sum + j * step + x * L) = start;
        }
        for (const auto& term : edge.terms)
          add_term<S>(job, edge, term, block, y * row_size, w, sum, step, n);
        T* node = edge.out + block * job.channels * job.out_plane() + y * row_size;
        for (int j = 0; j < job.seen; ++j)
          put<S>(sum + j * step, T(1), node + job.seen_to(j) * job.out_plane(), edge.first, n);
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

  template <class T>
  static void fold(const state_job<T>& job, T* folded, T* constant) {
    const auto seen = static_cast<std::size_t>(job.seen);
    for (std::size_t e = 0; e < job.edges.size(); ++e) {
      const auto& edge = job.edges[e];
      for (std::size_t j = 0; j < seen; ++j) constant[e * seen + j] = 0;
      for (const auto& term : edge.terms) {
        if (term.norm < 0) continue;
        const T weight = edge.weight * edge.op_weights[static_cast<std::size_t>(term.op)];
        for (std::size_t j = 0; j < seen; ++j) {
          const auto at = static_cast<std::size_t>(term.norm) * seen + j;
          const T factor = weight * job.scale[at];
          constant[e * seen + j] -= factor * job.mean[at];
          if (term.from != edge_term::source::unit) continue;
          const auto& unit = job.units[static_cast<std::size_t>(term.unit)];
          if (unit.kind == conv_unit<T>::gather::dense) continue;
          if (!unit.bias.empty()) constant[e * seen + j] += factor * unit.bias[j];
          const auto columns = static_cast<std::size_t>(unit.channels);
          for (std::size_t i = 0; i < columns; ++i) *folded++ = factor * unit.pointwise[j * columns + i];
        }
      }
    }
  }

  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void add_term(const state_job<T>& job, const edge_plan<T>& edge,
                                       const edge_term& term, std::int64_t block, std::ptrdiff_t offset,
                                       const T*& w, T* sum, std::ptrdiff_t step, int n) {
    const bool from_unit = term.from == edge_term::source::unit;
    const conv_unit<T>* dense = nullptr;
    if (from_unit) {
      const auto& unit = job.units[static_cast<std::size_t>(term.unit)];
      if (unit.kind == conv_unit<T>::gather::dense) dense = &unit;
    }
    if (from_unit && !dense) {
      const auto& unit = job.units[static_cast<std::size_t>(term.unit)];
      pointwise<S, true>(matrix<T>{w, unit.channels, 1}, job.seen, unit.channels,
                         job.unit_u(unit, block) + offset, job.out_plane(), sum, step, n);
      w += unit.pointwise_size();
      return;
    }
    const T weight = edge.weight * edge.op_weights[static_cast<std::size_t>(term.op)];
    for (int j = 0; j < job.seen; ++j) {
      const T* row = dense ? job.unit_u(*dense, block) + j * job.out_plane()
                     : term.from == edge_term::source::identity
                         ? job.state(block, j)
                         : job.pool(term.from == edge_term::source::average, block) + j * job.out_plane();
      const T factor =
          term.norm < 0 ? weight : weight * job.scale[static_cast<std::size_t>(term.norm * job.seen + j)];
      put<S>(row + offset, factor, sum + j * step, false, n);
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
