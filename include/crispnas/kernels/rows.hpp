// The arithmetic on rows of pixels that all kernels share: pointwise products, depthwise convolutions and
// their gradients. A "row" is n pixels of one channel; a pixel is one vector (one image per lane). Strides
// and offsets count scalars.
#pragma once

#include <crispnas/kernels/vec.hpp>
#include <cstddef>

namespace crispnas::kernels {

/// A matrix [rows, columns] read in place, possibly transposed.
template <class T>
struct matrix {
  const T* data;
  std::ptrdiff_t row;     ///< step from one output channel to the next
  std::ptrdiff_t column;  ///< step from one input channel to the next
};

namespace detail {

template <class S, int J, int X, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void pointwise_tile(const matrix<T>& m, int in_channels, const T* in, std::ptrdiff_t in_step,
                                    T* out, std::ptrdiff_t out_step) {
  typename S::vec sum[J][X];
  CRISPNAS_UNROLL
  for (int j = 0; j < J; ++j) {
    CRISPNAS_UNROLL
    for (int x = 0; x < X; ++x) {
      if constexpr (Add) {
        sum[j][x] = S::at(out + j * out_step + x * S::lanes);
      } else {
        sum[j][x] = typename S::vec{};
      }
    }
  }
  const T* w = m.data;
  for (int i = 0; i < in_channels; ++i, in += in_step, w += m.column) {
    typename S::vec v[X];
    CRISPNAS_UNROLL
    for (int x = 0; x < X; ++x) v[x] = S::at(in + x * S::lanes);
    CRISPNAS_UNROLL
    for (int j = 0; j < J; ++j) {
      const T a = w[j * m.row];
      CRISPNAS_UNROLL
      for (int x = 0; x < X; ++x) sum[j][x] += v[x] * a;
    }
  }
  CRISPNAS_UNROLL
  for (int j = 0; j < J; ++j) {
    CRISPNAS_UNROLL
    for (int x = 0; x < X; ++x) S::at(out + j * out_step + x * S::lanes) = sum[j][x];
  }
}

}  // namespace detail

/// out[j][x] = (or += if Add) sum over i of m[j, i] * in[i][x]
template <class S, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void pointwise(matrix<T> m, int out_channels, int in_channels, const T* in,
                               std::ptrdiff_t in_step, T* out, std::ptrdiff_t out_step, int n) {
  int j = 0;
  for (; j + 4 <= out_channels; j += 4, m.data += 4 * m.row, out += 4 * out_step) {
    int x = 0;
    for (; x + 3 <= n && n - x != 4; x += 3) {  // 12 sums, 3 pixels, 1 weight: all 16 registers of AVX2
      detail::pointwise_tile<S, 4, 3, Add>(m, in_channels, in + x * S::lanes, in_step, out + x * S::lanes,
                                           out_step);
    }
    for (; x + 2 <= n; x += 2) {
      detail::pointwise_tile<S, 4, 2, Add>(m, in_channels, in + x * S::lanes, in_step, out + x * S::lanes,
                                           out_step);
    }
    for (; x < n; ++x) {
      detail::pointwise_tile<S, 4, 1, Add>(m, in_channels, in + x * S::lanes, in_step, out + x * S::lanes,
                                           out_step);
    }
  }
  for (; j < out_channels; ++j, m.data += m.row, out += out_step) {
    int x = 0;
    for (; x + 4 <= n; x += 4) {
      detail::pointwise_tile<S, 1, 4, Add>(m, in_channels, in + x * S::lanes, in_step, out + x * S::lanes,
                                           out_step);
    }
    for (; x < n; ++x) {
      detail::pointwise_tile<S, 1, 1, Add>(m, in_channels, in + x * S::lanes, in_step, out + x * S::lanes,
                                           out_step);
    }
  }
}

namespace detail {

template <class S, int J, int I, class T = typename S::scalar>
CRISPNAS_INLINE void outer_tile(const T* a, std::ptrdiff_t a_step, const T* b, std::ptrdiff_t b_step, T* sum,
                                std::ptrdiff_t sum_row, int n) {
  typename S::vec s[J][I];
  CRISPNAS_UNROLL
  for (int j = 0; j < J; ++j) {
    CRISPNAS_UNROLL
    for (int i = 0; i < I; ++i) s[j][i] = S::at(sum + j * sum_row + i * S::lanes);
  }
  for (int x = 0; x < n; ++x, a += S::lanes, b += S::lanes) {
    typename S::vec v[I];
    CRISPNAS_UNROLL
    for (int i = 0; i < I; ++i) v[i] = S::at(b + i * b_step);
    CRISPNAS_UNROLL
    for (int j = 0; j < J; ++j) {
      const typename S::vec u = S::at(a + j * a_step);
      CRISPNAS_UNROLL
      for (int i = 0; i < I; ++i) s[j][i] += u * v[i];
    }
  }
  CRISPNAS_UNROLL
  for (int j = 0; j < J; ++j) {
    CRISPNAS_UNROLL
    for (int i = 0; i < I; ++i) S::at(sum + j * sum_row + i * S::lanes) = s[j][i];
  }
}

}  // namespace detail

/// sum[j, i] += sum over x of a[j][x] * b[i][x], per lane: the weight gradient of a pointwise product. Rows
/// of `sum` are `row` apart.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void outer(int a_channels, int b_channels, const T* a, std::ptrdiff_t a_step, const T* b,
                           std::ptrdiff_t b_step, T* sum, std::ptrdiff_t row, int n) {
  int j = 0;
  for (; j + 4 <= a_channels; j += 4) {
    int i = 0;
    for (; i + 3 <= b_channels && b_channels - i != 4; i += 3) {
      detail::outer_tile<S, 4, 3>(a + j * a_step, a_step, b + i * b_step, b_step,
                                  sum + j * row + i * S::lanes, row, n);
    }
    for (; i + 2 <= b_channels; i += 2) {
      detail::outer_tile<S, 4, 2>(a + j * a_step, a_step, b + i * b_step, b_step,
                                  sum + j * row + i * S::lanes, row, n);
    }
    for (; i < b_channels; ++i) {
      detail::outer_tile<S, 4, 1>(a + j * a_step, a_step, b + i * b_step, b_step,
                                  sum + j * row + i * S::lanes, row, n);
    }
  }
  for (; j < a_channels; ++j) {
    for (int i = 0; i < b_channels; ++i) {
      detail::outer_tile<S, 1, 1>(a + j * a_step, a_step, b + i * b_step, b_step,
                                  sum + j * row + i * S::lanes, row, n);
    }
  }
}

namespace detail {

/// X output pixels of one row. Every input pixel of a row of taps is loaded once and used for all outputs
/// that see it.
template <class S, int K, int Stride, int Dilation, int X, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_tile(const T* w, const T* in, std::ptrdiff_t in_row, T* out) {
  constexpr int taps = (X - 1) * Stride + (K - 1) * Dilation + 1;
  typename S::vec sum[X];
  CRISPNAS_UNROLL
  for (int x = 0; x < X; ++x) {
    if constexpr (Add) {
      sum[x] = S::at(out + x * S::lanes);
    } else {
      sum[x] = typename S::vec{};
    }
  }
  for (int ky = 0; ky < K; ++ky, in += Dilation * in_row, w += K) {
    typename S::vec a[K];
    CRISPNAS_UNROLL
    for (int k = 0; k < K; ++k) a[k] = typename S::vec{} + w[k];
    CRISPNAS_UNROLL
    for (int i = 0; i < taps; ++i) {
      if (Stride > 1 && Dilation % Stride == 0 && i % Stride != 0) continue;
      const typename S::vec v = S::at(in + i * S::lanes);
      CRISPNAS_UNROLL
      for (int k = 0; k < K; ++k) {
        const int at = i - k * Dilation;
        if (at >= 0 && at % Stride == 0 && at / Stride < X) sum[at / Stride] += v * a[k];
      }
    }
  }
  CRISPNAS_UNROLL
  for (int x = 0; x < X; ++x) S::at(out + x * S::lanes) = sum[x];
}

template <class S, int K, int Stride, int Dilation, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_fixed(const T* w, const T* in, std::ptrdiff_t in_row, T* out, int n) {
  int x = 0;
  for (; x + 8 <= n; x += 8) {
    depthwise_tile<S, K, Stride, Dilation, 8, Add>(w, in + x * Stride * S::lanes, in_row, out + x * S::lanes);
  }
  for (; x < n; ++x) {
    depthwise_tile<S, K, Stride, Dilation, 1, Add>(w, in + x * Stride * S::lanes, in_row, out + x * S::lanes);
  }
}

template <class S, int K, int Stride, int Dilation, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_weight_fixed(const T* gradient, const T* in, std::ptrdiff_t in_row, T* sum,
                                            int n) {
  constexpr int X = K == 3 ? 3 : K == 5 ? 4 : 2;  // pixels at a time
  constexpr int chains = K == 3   ? 3
                         : K == 5 ? 2
                                  : 1;  // of additions for each weight: enough to hide the latency
  constexpr int taps = (X - 1) * Stride + (K - 1) * Dilation + 1;
  for (int ky = 0; ky < K; ++ky, in += Dilation * in_row, sum += K * S::lanes) {
    typename S::vec s[chains][K];
    CRISPNAS_UNROLL
    for (int k = 0; k < K; ++k) {
      s[0][k] = S::at(sum + k * S::lanes);
      CRISPNAS_UNROLL
      for (int c = 1; c < chains; ++c) s[c][k] = typename S::vec{};
    }
    int x = 0;
    for (; x + X <= n; x += X) {
      typename S::vec g[X];
      CRISPNAS_UNROLL
      for (int t = 0; t < X; ++t) g[t] = S::at(gradient + (x + t) * S::lanes);
      CRISPNAS_UNROLL
      for (int i = 0; i < taps; ++i) {
        if (Stride > 1 && Dilation % Stride == 0 && i % Stride != 0) continue;
        const typename S::vec v = S::at(in + (x * Stride + i) * S::lanes);
        CRISPNAS_UNROLL
        for (int k = 0; k < K; ++k) {
          const int at = i - k * Dilation;
          if (at >= 0 && at % Stride == 0 && at / Stride < X)
            s[at / Stride % chains][k] += g[at / Stride] * v;
        }
      }
    }
    for (; x < n; ++x) {
      const typename S::vec g = S::at(gradient + x * S::lanes);
      CRISPNAS_UNROLL
      for (int k = 0; k < K; ++k) s[0][k] += g * S::at(in + (x * Stride + k * Dilation) * S::lanes);
    }
    CRISPNAS_UNROLL
    for (int k = 0; k < K; ++k) {
      typename S::vec total = s[0][k];
      CRISPNAS_UNROLL
      for (int c = 1; c < chains; ++c) total += s[c][k];
      S::at(sum + k * S::lanes) = total;
    }
  }
}

}  // namespace detail

/// One output row of a depthwise convolution: out[x] = (+=) sum of w[ky, kx] * in[ky * dilation, x * stride +
/// kx * dilation]. `in` points at the first tap of the first output pixel in a padded plane whose rows are
/// `in_row` apart.
template <class S, bool Add, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_row(int kernel, int stride, int dilation, const T* w, const T* in,
                                   std::ptrdiff_t in_row, T* out, int n) {
  using namespace detail;
  switch (kernel * 100 + stride * 10 + dilation) {
    case 311:
      return depthwise_fixed<S, 3, 1, 1, Add>(w, in, in_row, out, n);
    case 511:
      return depthwise_fixed<S, 5, 1, 1, Add>(w, in, in_row, out, n);
    case 711:
      return depthwise_fixed<S, 7, 1, 1, Add>(w, in, in_row, out, n);
    case 312:
      return depthwise_fixed<S, 3, 1, 2, Add>(w, in, in_row, out, n);
    case 512:
      return depthwise_fixed<S, 5, 1, 2, Add>(w, in, in_row, out, n);
    case 321:
      return depthwise_fixed<S, 3, 2, 1, Add>(w, in, in_row, out, n);
    case 521:
      return depthwise_fixed<S, 5, 2, 1, Add>(w, in, in_row, out, n);
    case 721:
      return depthwise_fixed<S, 7, 2, 1, Add>(w, in, in_row, out, n);
    case 322:
      return depthwise_fixed<S, 3, 2, 2, Add>(w, in, in_row, out, n);
    default:
      return depthwise_fixed<S, 5, 2, 2, Add>(w, in, in_row, out, n);
  }
}

/// Adds one output row's share to the weight gradient: sum[ky, kx] += sum over x of gradient[x] * (the tap of
/// depthwise_row).
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_weight_row(int kernel, int stride, int dilation, const T* gradient,
                                          const T* in, std::ptrdiff_t in_row, T* sum, int n) {
  using namespace detail;
  switch (kernel * 100 + stride * 10 + dilation) {
    case 311:
      return depthwise_weight_fixed<S, 3, 1, 1>(gradient, in, in_row, sum, n);
    case 511:
      return depthwise_weight_fixed<S, 5, 1, 1>(gradient, in, in_row, sum, n);
    case 711:
      return depthwise_weight_fixed<S, 7, 1, 1>(gradient, in, in_row, sum, n);
    case 312:
      return depthwise_weight_fixed<S, 3, 1, 2>(gradient, in, in_row, sum, n);
    case 512:
      return depthwise_weight_fixed<S, 5, 1, 2>(gradient, in, in_row, sum, n);
    case 321:
      return depthwise_weight_fixed<S, 3, 2, 1>(gradient, in, in_row, sum, n);
    case 521:
      return depthwise_weight_fixed<S, 5, 2, 1>(gradient, in, in_row, sum, n);
    case 721:
      return depthwise_weight_fixed<S, 7, 2, 1>(gradient, in, in_row, sum, n);
    case 322:
      return depthwise_weight_fixed<S, 3, 2, 2>(gradient, in, in_row, sum, n);
    default:
      return depthwise_weight_fixed<S, 5, 2, 2>(gradient, in, in_row, sum, n);
  }
}

/// The input gradient of depthwise_row, scattered: in_gradient[tap of x] += w[ky, kx] * gradient[x]. For
/// stride 2; at stride 1 the gradient is a depthwise_row with the kernel turned by 180 degrees.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void depthwise_scatter_row(int kernel, int stride, int dilation, const T* w,
                                           const T* gradient, T* in_gradient, std::ptrdiff_t in_row, int n) {
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) {
      const T a = w[ky * kernel + kx];
      T* to = in_gradient + std::ptrdiff_t{ky} * dilation * in_row + std::ptrdiff_t{kx} * dilation * S::lanes;
      for (int x = 0; x < n; ++x) S::at(to + x * stride * S::lanes) += S::at(gradient + x * S::lanes) * a;
    }
  }
}

}  // namespace crispnas::kernels
