// Which vector instructions run? A kernel body is written once over simd<T, Bytes> (GCC vector extensions)
// and compiled for AVX-512, AVX2 and the baseline; the widest one that this processor has is picked at run
// time.
#pragma once

#include <crispnas/kernels/parallel.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#define CRISPNAS_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define CRISPNAS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CRISPNAS_UNROLL _Pragma("GCC unroll 16")
#endif
#if defined(__x86_64__)
#define CRISPNAS_TARGET_256 __attribute__((target("avx2,fma")))
#define CRISPNAS_TARGET_512 __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#endif

namespace crispnas::kernels {

/// Vectors of `Bytes` bytes of scalars T. Vectors are never passed by value, so that the calling convention
/// of the baseline does not matter.
template <class T, int Bytes>
struct simd {
  using scalar = T;
  typedef T vec __attribute__((vector_size(Bytes), may_alias));
  static constexpr int lanes = Bytes / static_cast<int>(sizeof(T));
  static CRISPNAS_INLINE const vec& at(const T* p) { return *reinterpret_cast<const vec*>(p); }
  static CRISPNAS_INLINE vec& at(T* p) { return *reinterpret_cast<vec*>(p); }
};

/// Width in bytes of the vectors in use: 64, 32 or 16. The environment variable CRISPNAS_VECTOR_BYTES lowers
/// it (to compare or to test); it is read once.
inline int vector_bytes() {
  static const int bytes = [] {
    int widest = 16;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) widest = 32;
    if (widest == 32 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      widest = 64;
    }
#endif
    if (const char* wish = std::getenv("CRISPNAS_VECTOR_BYTES")) {
      const std::string_view text = wish;
      if (text == "16") return 16;
      if (text == "32" && widest > 32) return 32;
    }
    return widest;
  }();
  return bytes;
}

/// Images that lie side by side in the innermost dimension of a blocked tensor: one vector full.
template <class T>
int lanes() {
  return vector_bytes() / static_cast<int>(sizeof(T));
}

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
