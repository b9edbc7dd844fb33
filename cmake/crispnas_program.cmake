# What is private to the project's own programs (examples, tests, benchmarks): warnings, and code for this
# machine. None of it reaches a user of the library.
include(CheckCXXCompilerFlag)
set(CRISPNAS_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
set(CRISPNAS_PROGRAM_OPTIONS ${CRISPNAS_WARNINGS})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND CRISPNAS_PROGRAM_OPTIONS -Wno-restrict)  # GCC 12 sees overlaps in std::string that are none (PR105651)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A LibTorch file fills the compiler's heap at once; collecting it over and over takes a tenth of the time.
  list(APPEND CRISPNAS_PROGRAM_OPTIONS --param=ggc-min-heapsize=1000000)
endif()
if(CRISPNAS_NATIVE)
  check_cxx_compiler_flag(-march=native CRISPNAS_HAS_MARCH_NATIVE)
  if(CRISPNAS_HAS_MARCH_NATIVE)
    list(APPEND CRISPNAS_PROGRAM_OPTIONS -march=native)
  endif()
endif()

# crispnas_program(target): the settings above for one target.
function(crispnas_program target)
  target_compile_options(${target} PRIVATE ${CRISPNAS_PROGRAM_OPTIONS})
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
