# cmake -D EXPORT=<program> -D COMPILER=<c++> -D INCLUDE=<folder> -D TORCH=<folders> -D SCRATCH=<folder> -P cpp_header.cmake
# The headers that `export` writes compile, alone and with LibTorch, and are the genotypes that they were written for.
cmake_minimum_required(VERSION 3.25)
set(three "Genotype(normal=[1->3 sep_conv_3x3, 3->4 skip_connect, 0->5 dil_conv_5x5], normal_concat=[3, 4, 5], reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 4->5 dil_conv_5x5], reduce_concat=[2, 4, 5])")
set(residual "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")
file(REMOVE_RECURSE "${SCRATCH}")
set(check "#include <crispnas/genotype/known.hpp>\n#include <crispnas/genotype/text.hpp>\n")
foreach(name IN ITEMS darts_v2 three residual)
  set(genotype ${name})
  set(wanted "crispnas::known::${name}")
  if(DEFINED ${name})
    set(genotype "${${name}}")
    set(wanted "crispnas::parse_genotype(\"${genotype}\")")
  endif()
  execute_process(COMMAND "${EXPORT}" --genotype "${genotype}" --name my_${name} --channels 4 --cells 2 --out "${SCRATCH}/${name}"
                  COMMAND_ERROR_IS_FATAL ANY)
  string(APPEND check "#include \"${name}/my_${name}.hpp\"\n"
                      "static_assert(my_${name} == ${wanted}, \"the header is another genotype\");\n"
                      "#ifdef WITH_LIBTORCH\nstatic_assert(my_${name}_network::found == my_${name}, \"the type is another cell's\");\n#endif\n")
endforeach()
file(WRITE "${SCRATCH}/check.cpp" "${check}int main() {}\n")
list(TRANSFORM TORCH PREPEND "-isystem")
set(compile "${COMPILER}" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I "${INCLUDE}" "${SCRATCH}/check.cpp")
execute_process(COMMAND ${compile} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${compile} -DWITH_LIBTORCH ${TORCH} COMMAND_ERROR_IS_FATAL ANY)
