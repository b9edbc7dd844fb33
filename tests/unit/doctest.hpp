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

// How fast something is. Where sanitizers or counters watch every access it is said, not checked.
#ifdef CRISPNAS_WATCHED
#define CHECK_FAST(...) DOCTEST_WARN(__VA_ARGS__)
#else
#define CHECK_FAST(...) DOCTEST_CHECK(__VA_ARGS__)
#endif
