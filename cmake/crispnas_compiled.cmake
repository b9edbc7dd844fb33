# The library with its CPU kernels compiled once, for projects of several source files: crispnas::compiled. It is built in
# the project that links it, with that project's compiler and flags.
function(crispnas_compiled_target)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/crispnas_kernels.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#define CRISPNAS_KERNELS_SOURCE\n#include <crispnas/kernels/kernels.hpp>\n")
  add_library(crispnas_compiled STATIC EXCLUDE_FROM_ALL "${source}")
  add_library(crispnas::compiled ALIAS crispnas_compiled)
  target_compile_definitions(crispnas_compiled PUBLIC CRISPNAS_SEPARATE_KERNELS)
  target_link_libraries(crispnas_compiled PUBLIC crispnas::crispnas)
endfunction()
