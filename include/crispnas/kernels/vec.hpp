// What does a kernel body compute with? Images that lie side by side. A body is written once over a type that says how
// many: simd<T, Bytes>, vectors of the processor (GCC vector extensions), or single<T>, one image, which is what a thread
// of a GPU sees.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

#define CRISPNAS_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define CRISPNAS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CRISPNAS_UNROLL _Pragma("GCC unroll 16")
#endif

namespace crispnas::kernels {

/// Vectors of `Bytes` bytes of scalars T. Vectors are never passed by value, so that the calling convention
/// of the baseline does not matter.
template <class T, int Bytes>
struct simd {
  using scalar = T;
  using vec __attribute__((vector_size(Bytes), may_alias)) = T;
  static constexpr int lanes = Bytes / static_cast<int>(sizeof(T));
  static CRISPNAS_INLINE const vec& at(const T* p) { return *reinterpret_cast<const vec*>(p); }
  static CRISPNAS_INLINE vec& at(T* p) { return *reinterpret_cast<vec*>(p); }
};

/// One image at a time.
template <class T>
struct single {
  using scalar = T;
  using vec = T;
  static constexpr int lanes = 1;
  static CRISPNAS_INLINE const vec& at(const T* p) { return *p; }
  static CRISPNAS_INLINE vec& at(T* p) { return *p; }
};

/// to = max(v, 0) of a pixel. NaN stays, so that a lost number is seen.
template <class S>
CRISPNAS_INLINE void put_rectified(const typename S::vec& v, typename S::scalar* to) {
  const typename S::vec zero{};
  S::at(to) = zero > v ? zero : v;
}

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

}  // namespace crispnas::kernels
