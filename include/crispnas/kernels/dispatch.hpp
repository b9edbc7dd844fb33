// Which vector instructions run? A body is compiled for AVX-512, AVX2 and the baseline; the widest one that this processor
// has is picked at run time.
#pragma once

#include <crispnas/kernels/parallel.hpp>
#include <crispnas/kernels/vec.hpp>
#include <cstdint>

#if defined(__x86_64__)
#define CRISPNAS_TARGET_256 __attribute__((target("avx2,fma")))
#define CRISPNAS_TARGET_512 __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#endif

namespace crispnas::kernels {

namespace detail {

template <class Body, class T, class Job>
void run_128(const Job& job, std::int64_t block) {
  Body::template run<simd<T, 16>>(job, block);
}
#if defined(__x86_64__)
template <class Body, class T, class Job>
CRISPNAS_TARGET_256 void run_256(const Job& job, std::int64_t block) {
  Body::template run<simd<T, 32>>(job, block);
}
template <class Body, class T, class Job>
CRISPNAS_TARGET_512 void run_512(const Job& job, std::int64_t block) {
  Body::template run<simd<T, 64>>(job, block);
}
#endif

}  // namespace detail

/// Body::run<simd>(job, block) for every block of images, in parallel. Bodies write to places of their own
/// block only, so the result does not depend on the number of threads.
template <class Body, class T, class Job>
void for_blocks(const Job& job, std::int64_t blocks) {
  auto* run = &detail::run_128<Body, T, Job>;
#if defined(__x86_64__)
  if (vector_bytes() == 32) run = &detail::run_256<Body, T, Job>;
  if (vector_bytes() == 64) run = &detail::run_512<Body, T, Job>;
#endif
  parallel_blocks(blocks, [&](std::int64_t block) { run(job, block); });
}

}  // namespace crispnas::kernels
