#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// What the sanitizers do unless an environment variable says otherwise; there is no suppression.
#if defined(CRISPNAS_WATCHED_ADDRESSES)
extern "C" const char* __asan_default_options() {
  return "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1";
}
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }
#elif defined(CRISPNAS_WATCHED_THREADS)
// LibTorch is not instrumented: what it does with memory, and OpenMP's barriers, cannot be seen.
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }
#endif
