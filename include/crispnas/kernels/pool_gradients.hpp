// The gradients of pools and identities of all edges of a state. They read the state without a ReLU, and the
// edges share them.
#pragma once

#include <crispnas/kernels/forward.hpp>

namespace crispnas::kernels {

/// dz = a g + b (z - mean) + c
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void affine_row(const affine<T>& k, const T* g, const T* z, T* dz, int n) {
  const typename S::vec a = typename S::vec{} + k.a;
  const typename S::vec b = typename S::vec{} + k.b;
  const typename S::vec c = typename S::vec{} + k.c;
  const typename S::vec mean = typename S::vec{} + k.mean;
  for (int x = 0; x < n; ++x)
    S::at(dz + x * S::lanes) = S::at(g + x * S::lanes) * a + ((S::at(z + x * S::lanes) - mean) * b + c);
}

/// Part of backward pass 2.
struct pool_gradients {
  /// Writes what reaches the seen channels of dx without a ReLU. Edges share the pools, so their gradients
  /// are added first.
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const state_job<T>& job, std::int64_t block, T* total, affine<T>* factors) {
    constexpr int L = S::lanes;
    const int n = job.out_width;
    const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
    T* through = total;  // identity, maximum, average
    T* maximum = total + step;
    T* average = total + 2 * step;
    for (int c = 0; c < job.seen; ++c) {
      T* dx = job.dx + (block * job.channels + c) * job.in_plane();
      std::memset(static_cast<void*>(dx), 0, static_cast<std::size_t>(job.in_plane()) * sizeof(T));
      bool identity = false;
      affine<T> constants[2];  // of maximum, average: what does not depend on the edge
      collect(job, c, factors, constants, identity);
      if (!identity && !job.maximum && !job.average) continue;
      for (int y = 0; y < job.out_height; ++y) {
        for (int x = 0; x < n; ++x) {
          typename S::vec s0{}, s1{}, s2{};
          const affine<T>* k = factors;
          for (const auto& edge : job.edges) {
            const auto g = S::at(edge.gradient + (block * job.channels + job.seen_to(c)) * job.out_plane() +
                                 y * step + x * L);
            s0 += g * k->a;
            s1 += g * k->b;
            s2 += g * k->c;
            ++k;
          }
          S::at(through + x * L) = s0;
          S::at(maximum + x * L) = s1;
          S::at(average + x * L) = s2;
        }
        if (identity) forward_mix::put<S>(through, T(1), dx + y * step, false, n);
        if (job.maximum) {
          const T* top = job.pool(false, block) + c * job.out_plane() + y * step;
          affine_row<S>(constants[0], maximum, top, maximum, n);
          max_pool_back_row<S>(job.state(block, c), top, maximum, job.height, job.width, job.stride, y, dx,
                               n);
        }
        if (job.average) {
          affine_row<S>(constants[1], average, job.pool(true, block) + c * job.out_plane() + y * step,
                        average, n);
          average_pool_back_row<S>(average, job.height, job.width, job.stride, y, dx, n);
        }
      }
    }
  }

  /// factors[edge]: what g counts for the identity (a), the maximum (b), the average (c).
  template <class T>
  static void collect(const state_job<T>& job, int c, affine<T>* factors, affine<T>* constants,
                      bool& identity) {
    constants[0] = constants[1] = {1, 0, 0, 0};
    for (std::size_t e = 0; e < job.edges.size(); ++e) {
      factors[e] = {};
      const auto terms = job.terms_of(job.edges[e]);
      for (std::size_t t = 0; t < terms.size(); ++t) {
        const auto from = terms[t].from;
        if (from == source::unit) continue;
        const affine<T>& k = job.term_gradient(job.edges[e], t)[c];
        if (from == source::identity) {
          factors[e].a += k.a;
          identity = true;
          continue;
        }
        const bool average = from == source::average;
        (average ? factors[e].c : factors[e].b) += k.a;
        constants[average].b += k.b;
        constants[average].c += k.c;
        if (terms[t].norm >= 0) constants[average].mean = k.mean;  // the same for all, who see one pool
      }
    }
  }
};

}  // namespace crispnas::kernels
