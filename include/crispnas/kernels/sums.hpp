// Sums over pixels, per lane: moments for batch statistics, products for gradients.
#pragma once

#include <crispnas/kernels/vec.hpp>
#include <cstddef>

namespace crispnas::kernels {

/// Adds a row's sums of z and z^2 to `sums`, [seen, 2, lanes].
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_moments(int channels, const T* z, std::ptrdiff_t z_step, T* sums, int n) {
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
    S::at(sums) += s0 + s1;
    S::at(sums + S::lanes) += q0 + q1;
  }
}

/// sum += the products of n pixels.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_product(const T* a, const T* b, T* sum, int n) {
  constexpr int chains = 4;  // of additions: enough to hide their latency
  typename S::vec s[chains]{};
  int x = 0;
  for (; x + chains <= n; x += chains) {
    CRISPNAS_UNROLL
    for (int i = 0; i < chains; ++i) s[i] += S::at(a + (x + i) * S::lanes) * S::at(b + (x + i) * S::lanes);
  }
  for (; x < n; ++x) s[0] += S::at(a + x * S::lanes) * S::at(b + x * S::lanes);
  S::at(sum) += (s[0] + s[1]) + (s[2] + s[3]);
}

/// sum += n pixels.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void add_sum(const T* a, T* sum, int n) {
  constexpr int chains = 4;
  typename S::vec s[chains]{};
  int x = 0;
  for (; x + chains <= n; x += chains) {
    CRISPNAS_UNROLL
    for (int i = 0; i < chains; ++i) s[i] += S::at(a + (x + i) * S::lanes);
  }
  for (; x < n; ++x) s[0] += S::at(a + x * S::lanes);
  S::at(sum) += (s[0] + s[1]) + (s[2] + s[3]);
}

}  // namespace crispnas::kernels
