// Sums over pixels, per lane: moments for batch statistics, products for gradients. A row is added up in T, in
// several chains; rows in double, so that long sums lose no more than short ones.
#pragma once

#include <crispnas/kernels/vec.hpp>
#include <cstddef>

namespace crispnas::kernels {

/// sums[lane] += v
template <class S>
CRISPNAS_INLINE void add_lanes(const typename S::vec& v, double* sums) {
  if constexpr (S::lanes == 1) {
    *sums += static_cast<double>(v);
  } else {
    using wide __attribute__((vector_size(S::lanes * sizeof(double)), may_alias, aligned(sizeof(double)))) =
        double;
    *reinterpret_cast<wide*>(sums) += __builtin_convertvector(v, wide);
  }
}

/// Adds a row's sums of d and d^2 to `sums`, [channels, 2, lanes], with d = z - z0. A plane's first pixel, in each
/// lane, is its z0: the squares of numbers far from zero would leave nothing of a small variance. Planes start
/// `first_step` apart.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_moments(int channels, const T* z, std::ptrdiff_t z_step, const T* first,
                                 std::ptrdiff_t first_step, double* sums, int n) {
  for (int j = 0; j < channels; ++j, z += z_step, first += first_step, sums += 2 * S::lanes) {
    const typename S::vec z0 = S::at(first);
    typename S::vec s0{}, s1{}, q0{}, q1{};
    int x = 0;
    for (; x + 2 <= n; x += 2) {
      const typename S::vec a = S::at(z + x * S::lanes) - z0;
      const typename S::vec b = S::at(z + (x + 1) * S::lanes) - z0;
      s0 += a;
      q0 += a * a;
      s1 += b;
      q1 += b * b;
    }
    if (x < n) {
      const typename S::vec a = S::at(z + x * S::lanes) - z0;
      s0 += a;
      q0 += a * a;
    }
    s0 += s1;
    q0 += q1;
    add_lanes<S>(s0, sums);
    add_lanes<S>(q0, sums + S::lanes);
  }
}

/// From the sums of add_moments over a block to its moments in `to`, [channels, 2]: the sum of z, and the sum of
/// squares of z - its mean. `first` as there; `valid` lanes hold images of `pixels` each.
template <class T>
inline void gather_moments(int channels, int lanes, int valid, double pixels, const T* first,
                           std::ptrdiff_t first_step, const double* sums, double* to) {
  for (int j = 0; j < channels; ++j, first += first_step, sums += std::ptrdiff_t{2} * lanes, to += 2) {
    const auto mean_of = [&](int lane) { return static_cast<double>(first[lane]) + sums[lane] / pixels; };
    double mean = 0;
    for (int l = 0; l < valid; ++l) mean += mean_of(l) / valid;
    double squares = 0;
    for (int l = 0; l < valid; ++l) {
      const double apart = mean_of(l) - mean;
      squares += sums[lanes + l] - sums[l] * sums[l] / pixels + pixels * apart * apart;
    }
    to[0] = mean * pixels * valid;
    to[1] = squares;
  }
}

/// sum += the products of n pixels of a and b - mean.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_product(const T* a, const T* b, T mean, double* sum, int n) {
  constexpr int chains = 4;  // of additions: enough to hide their latency
  const typename S::vec middle = typename S::vec{} + mean;
  typename S::vec s[chains]{};
  int x = 0;
  for (; x + chains <= n; x += chains) {
    CRISPNAS_UNROLL
    for (int i = 0; i < chains; ++i)
      s[i] += S::at(a + (x + i) * S::lanes) * (S::at(b + (x + i) * S::lanes) - middle);
  }
  for (; x < n; ++x) s[0] += S::at(a + x * S::lanes) * (S::at(b + x * S::lanes) - middle);
  s[0] = (s[0] + s[1]) + (s[2] + s[3]);
  add_lanes<S>(s[0], sum);
}

/// sum += n pixels.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_sum(const T* a, double* sum, int n) {
  constexpr int chains = 4;
  typename S::vec s[chains]{};
  int x = 0;
  for (; x + chains <= n; x += chains) {
    CRISPNAS_UNROLL
    for (int i = 0; i < chains; ++i) s[i] += S::at(a + (x + i) * S::lanes);
  }
  for (; x < n; ++x) s[0] += S::at(a + x * S::lanes);
  s[0] = (s[0] + s[1]) + (s[2] + s[3]);
  add_lanes<S>(s[0], sum);
}

}  // namespace crispnas::kernels
