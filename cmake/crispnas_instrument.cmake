# How are the project's own programs watched while they run? By sanitizers (CRISPNAS_SANITIZE), or by clang's counters of lines and
# conditions (CRISPNAS_COVERAGE).
# Everything that is compiled here is instrumented, the kernels too; LibTorch is not.
set(CRISPNAS_SANITIZE "" CACHE STRING "Sanitizers: address (and undefined behaviour), thread, or nothing")
set_property(CACHE CRISPNAS_SANITIZE PROPERTY STRINGS "" address thread)
option(CRISPNAS_COVERAGE "Count lines and conditions, with clang" OFF)

if(NOT CRISPNAS_SANITIZE MATCHES "^(address|thread)?$")
  message(FATAL_ERROR "crispnas: CRISPNAS_SANITIZE is '${CRISPNAS_SANITIZE}'; it is one of address, thread or nothing.")
elseif(CRISPNAS_SANITIZE STREQUAL "thread" AND CRISPNAS_COVERAGE)
  message(FATAL_ERROR "crispnas: counters race by design, so CRISPNAS_COVERAGE excludes CRISPNAS_SANITIZE=thread; use two build folders.")
endif()

if(CRISPNAS_SANITIZE OR CRISPNAS_COVERAGE)
  add_compile_definitions(CRISPNAS_WATCHED)  # tests do not hold such programs to a speed
endif()
set(level -O0)
if(CRISPNAS_SANITIZE)
  # Line tables alone: compiling is what takes the time. No recovery: the first report fails the test.
  set(crispnas_sanitizers thread)
  set(watched CRISPNAS_WATCHED_THREADS)
  if(CRISPNAS_SANITIZE STREQUAL "address")
    set(crispnas_sanitizers address,undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      set(level -O1)  # of the kernels, which the tests run at length; clang 14 takes ten minutes and more for them
    endif()
    set(watched CRISPNAS_WATCHED_ADDRESSES _GLIBCXX_ASSERTIONS)
  endif()
  add_compile_definitions(${watched})
  add_compile_options(-fno-omit-frame-pointer -fsanitize=${crispnas_sanitizers} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${crispnas_sanitizers})
endif()
if(CRISPNAS_COVERAGE)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "crispnas: CRISPNAS_COVERAGE needs clang, which counts the conditions that are in the source. GCC counts jumps of "
                        "its own, too, and those of each template instance apart.")
  endif()
  # Of each program one file of counts, to which each run adds; exact where threads count, since clang derives some from others.
  set(CRISPNAS_COVERAGE_COUNTS "${PROJECT_BINARY_DIR}/coverage")
  add_compile_options("-fprofile-instr-generate=${CRISPNAS_COVERAGE_COUNTS}/%m.profraw" -fcoverage-mapping -fprofile-update=atomic)
  add_link_options("-fprofile-instr-generate=${CRISPNAS_COVERAGE_COUNTS}/%m.profraw")
endif()
if(CRISPNAS_SANITIZE OR CRISPNAS_COVERAGE)
  add_compile_options(${level} -g1)
endif()
