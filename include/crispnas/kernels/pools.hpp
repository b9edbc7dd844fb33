// 3x3 max and average pooling (padding 1, the average leaves the padding out) and 2x2 max pooling, on planes
// of pixels.
#pragma once

#include <algorithm>
#include <crispnas/kernels/vec.hpp>

namespace crispnas::kernels {

/// v = max(v, next); NaN stays. Two selects whose sides differ: GCC 12 makes one of `next > v || next is NaN`, and takes
/// vectors apart, lane by lane, where a condition is of two.
template <class S>
CRISPNAS_INLINE void keep_larger(typename S::vec& v, const typename S::vec& next) {
  const typename S::vec larger = next > v ? next : v;
  const typename S::vec sum = next + v;
  v = next == next ? larger : sum;  // NOLINT(misc-redundant-expression): NaN alone is not equal to itself
}

/// Rows or columns of the input that output position `o` of a 3x3 window sees: [begin, end).
struct window {
  int begin;
  int end;
  window(int o, int stride, int size)
      : begin(std::max(o * stride - 1, 0)), end(std::min(o * stride + 2, size)) {}
};

/// Pools one output row y. `columns` holds one input row.
template <class S, bool Average, class T = typename S::scalar>
CRISPNAS_INLINE void pool_row(const T* in, int height, int width, int stride, int y, T* columns, T* out,
                              int n) {
  using V = typename S::vec;
  constexpr int L = S::lanes;
  const window rows(y, stride, height);
  for (int x = 0; x < width; ++x) {
    V v = S::at(in + (rows.begin * width + x) * L);
    for (int r = rows.begin + 1; r < rows.end; ++r) {
      const V& next = S::at(in + (r * width + x) * L);
      if constexpr (Average) {
        v += next;
      } else {
        keep_larger<S>(v, next);
      }
    }
    S::at(columns + x * L) = v;
  }
  for (int x = 0; x < n; ++x) {
    const window across(x, stride, width);
    V v = S::at(columns + across.begin * L);
    for (int c = across.begin + 1; c < across.end; ++c) {
      const V& next = S::at(columns + c * L);
      if constexpr (Average) {
        v += next;
      } else {
        keep_larger<S>(v, next);
      }
    }
    if constexpr (Average) v *= T(1) / T((rows.end - rows.begin) * (across.end - across.begin));
    S::at(out + x * L) = v;
  }
}

/// Gives the gradient of row y of a max pool to the first pixel, in reading order, that holds the maximum.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void max_pool_back_row(const T* in, const T* pooled, const T* gradient, int height, int width,
                                       int stride, int y, T* in_gradient, int n) {
  using V = typename S::vec;
  constexpr int L = S::lanes;
  const window rows(y, stride, height);
  const V zero{};
  for (int x = 0; x < n; ++x) {
    const window across(x, stride, width);
    const V top = S::at(pooled + x * L);
    V rest = S::at(gradient + x * L);
    for (int r = rows.begin; r < rows.end; ++r) {
      for (int c = across.begin; c < across.end; ++c) {
        const auto hit = S::at(in + (r * width + c) * L) == top;
        S::at(in_gradient + (r * width + c) * L) += hit ? rest : zero;
        rest = hit ? zero : rest;
      }
    }
  }
}

/// Spreads the gradient of row y of an average pool; the gradient is overwritten.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void average_pool_back_row(T* gradient, int height, int width, int stride, int y,
                                           T* in_gradient, int n) {
  using V = typename S::vec;
  constexpr int L = S::lanes;
  const window rows(y, stride, height);
  for (int x = 0; x < n; ++x) {
    const window across(x, stride, width);
    const V share =
        S::at(gradient + x * L) * (T(1) / T((rows.end - rows.begin) * (across.end - across.begin)));
    S::at(gradient + x * L) = share;
    if (stride == 1) continue;
    for (int r = rows.begin; r < rows.end; ++r) {
      for (int c = across.begin; c < across.end; ++c) S::at(in_gradient + (r * width + c) * L) += share;
    }
  }
  if (stride != 1) return;
  // At stride 1 a pixel is seen by the windows that it sees: gather across, then add to each row once.
  for (int x = 0; x < n; ++x) {
    const window across(x, stride, width);
    V sum = S::at(gradient + across.begin * L);
    for (int c = across.begin + 1; c < across.end; ++c) sum += S::at(gradient + c * L);
    for (int r = rows.begin; r < rows.end; ++r) S::at(in_gradient + (r * width + x) * L) += sum;
  }
}

/// The four pixels of a 2x2 window, stride 2, and their maximum.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void max_2x2_row(const T* in, int width, int y, T* out, int n) {
  using V = typename S::vec;
  constexpr int L = S::lanes;
  const T* upper = in + 2 * y * width * L;
  const T* lower = upper + width * L;
  for (int x = 0; x < n; ++x) {
    V v = S::at(upper + 2 * x * L);
    keep_larger<S>(v, S::at(upper + (2 * x + 1) * L));
    keep_larger<S>(v, S::at(lower + 2 * x * L));
    keep_larger<S>(v, S::at(lower + (2 * x + 1) * L));
    S::at(out + x * L) = v;
  }
}

/// The gradient of max_2x2_row, written (not added) to the window's pixels; `pooled` is its result.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void max_2x2_back_row(const T* in, const T* pooled, const T* gradient, int width, int y,
                                      T* in_gradient, int n) {
  using V = typename S::vec;
  constexpr int L = S::lanes;
  const V zero{};
  for (int x = 0; x < n; ++x) {
    const V top = S::at(pooled + x * L);
    V rest = S::at(gradient + x * L);
    for (int r = 0; r < 2; ++r) {
      for (int c = 0; c < 2; ++c) {
        const auto at = ((2 * y + r) * width + 2 * x + c) * L;
        const auto hit = S::at(in + at) == top;
        S::at(in_gradient + at) = hit ? rest : zero;
        rest = hit ? zero : rest;
      }
    }
  }
}

}  // namespace crispnas::kernels
