# How are the project's own programs watched while they run? By sanitizers (CRISPNAS_SANITIZE) or by gcov (CRISPNAS_COVERAGE).
# Everything that is compiled here is instrumented, the kernels too; LibTorch is not.
set(CRISPNAS_SANITIZE "" CACHE STRING "Sanitizers: address (and undefined behaviour), thread, or nothing")
set_property(CACHE CRISPNAS_SANITIZE PROPERTY STRINGS "" address thread)
option(CRISPNAS_COVERAGE "Count lines and branches for gcovr" OFF)

if(NOT CRISPNAS_SANITIZE MATCHES "^(address|thread)?$")
  message(FATAL_ERROR "crispnas: CRISPNAS_SANITIZE is '${CRISPNAS_SANITIZE}'; it is one of address, thread or nothing.")
elseif(CRISPNAS_SANITIZE AND CRISPNAS_COVERAGE)
  message(FATAL_ERROR "crispnas: CRISPNAS_SANITIZE and CRISPNAS_COVERAGE exclude each other; use two build folders.")
endif()

if(CRISPNAS_SANITIZE OR CRISPNAS_COVERAGE)
  add_compile_definitions(CRISPNAS_WATCHED)  # tests do not hold such programs to a speed
endif()
if(CRISPNAS_SANITIZE)
  # -O1 and line tables alone: compiling is what takes the time. No recovery: the first report fails the test.
  set(crispnas_sanitizers thread)
  if(CRISPNAS_SANITIZE STREQUAL "address")
    set(crispnas_sanitizers address,undefined)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
  endif()
  add_compile_options(-O1 -g1 -fno-omit-frame-pointer -fsanitize=${crispnas_sanitizers} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${crispnas_sanitizers})
elseif(CRISPNAS_COVERAGE)
  # Inlined or optimized code has no lines of its own; -march=native has no say in what is covered.
  add_compile_options(-O0 -g1 --coverage)
  add_link_options(--coverage)
endif()
