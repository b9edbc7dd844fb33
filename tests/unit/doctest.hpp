// doctest beside LibTorch. Both define CHECK, and LibTorch's, if it comes second, ends the program at the
// first failure without a report. Include this header instead of <doctest/doctest.h> wherever torch is
// included too.
#pragma once

#if __has_include(<c10/util/Logging.h>)  // not in the tests that are free of LibTorch
#include <c10/util/Logging.h>
#endif
#include <doctest/doctest.h>

#undef CHECK
#define CHECK(...) DOCTEST_CHECK(__VA_ARGS__)

// Where sanitizers or counters watch every access, how fast something is is said, not checked, and what is long is shorter.
namespace test {
#ifdef CRISPNAS_WATCHED
inline constexpr bool watched = true;
#define CHECK_FAST(...) DOCTEST_WARN(__VA_ARGS__)
#else
inline constexpr bool watched = false;
#define CHECK_FAST(...) DOCTEST_CHECK(__VA_ARGS__)
#endif
}  // namespace test
