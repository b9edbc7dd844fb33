// Are the kernels compiled in every program, or once? Header-only by default. With CRISPNAS_SEPARATE_KERNELS
// (the CMake target crispnas::compiled sets it) a program sees declarations only, and one source file brings
// the definitions, which saves a minute of compile time per file.
#pragma once

#if defined(CRISPNAS_SEPARATE_KERNELS)
#define CRISPNAS_KERNELS_INLINE
#else
#define CRISPNAS_KERNELS_INLINE inline
#endif
