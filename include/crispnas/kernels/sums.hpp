// Sums over pixels, per lane: moments for batch statistics, products for gradients. A row is added up in T, in
// several chains; rows in double, so that long sums lose no more than short ones.
#pragma once

#include <crispnas/kernels/vec.hpp>
#include <cstddef>

namespace crispnas::kernels {

/// sums[lane] += v
template <class S>
CRISPNAS_INLINE void add_lanes(const typename S::vec& v, double* sums) {
  typedef double wide
      __attribute__((vector_size(S::lanes * sizeof(double)), may_alias, aligned(sizeof(double))));
  *reinterpret_cast<wide*>(sums) += __builtin_convertvector(v, wide);
}

/// Adds a row's sums of z and z^2 to `sums`, [seen, 2, lanes].
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_moments(int channels, const T* z, std::ptrdiff_t z_step, double* sums, int n) {
  for (int j = 0; j < channels; ++j, z += z_step, sums += 2 * S::lanes) {
    typename S::vec s0{}, s1{}, q0{}, q1{};
    int x = 0;
    for (; x + 2 <= n; x += 2) {
      const auto& a = S::at(z + x * S::lanes);
      const auto& b = S::at(z + (x + 1) * S::lanes);
      s0 += a;
      q0 += a * a;
      s1 += b;
      q1 += b * b;
    }
    if (x < n) {
      const auto& a = S::at(z + x * S::lanes);
      s0 += a;
      q0 += a * a;
    }
    s0 += s1;
    q0 += q1;
    add_lanes<S>(s0, sums);
    add_lanes<S>(q0, sums + S::lanes);
  }
}

/// sum += the products of n pixels.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_product(const T* a, const T* b, double* sum, int n) {
  constexpr int chains = 4;  // of additions: enough to hide their latency
  typename S::vec s[chains]{};
  int x = 0;
  for (; x + chains <= n; x += chains) {
    CRISPNAS_UNROLL
    for (int i = 0; i < chains; ++i) s[i] += S::at(a + (x + i) * S::lanes) * S::at(b + (x + i) * S::lanes);
  }
  for (; x < n; ++x) s[0] += S::at(a + x * S::lanes) * S::at(b + x * S::lanes);
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
