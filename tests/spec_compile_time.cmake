# How long does an empty program with the spec layer compile? Less than half a second of processor time (best of
# three), and without a header of LibTorch among its dependencies.
cmake_minimum_required(VERSION 3.25)
set(limit_ms 500)
set(program "${SCRATCH}/empty.cpp")
file(WRITE "${program}" "#include <crispnas/spec.hpp>\nint main() {}\n")

execute_process(COMMAND "${COMPILER}" -std=c++20 -I "${INCLUDE}" -M "${program}"
                OUTPUT_VARIABLE dependencies RESULT_VARIABLE code)
if(NOT code EQUAL 0 OR NOT dependencies MATCHES "crispnas/spec.hpp")
  message(FATAL_ERROR "The compiler lists no dependencies of ${program}:\n${dependencies}")
endif()
if(dependencies MATCHES "/(ATen|c10|torch)/[A-Za-z_/]*\\.h")
  message(FATAL_ERROR "The spec layer includes LibTorch: ${CMAKE_MATCH_0}")
endif()

set(best 1000000)
foreach(run RANGE 2)
  execute_process(
    COMMAND bash -c "TIMEFORMAT=%U; time \"$1\" -std=c++20 -I \"$2\" -c \"$3\" -o \"$3.o\"" - "${COMPILER}" "${INCLUDE}"
            "${program}"
    ERROR_VARIABLE said RESULT_VARIABLE code)
  if(NOT code EQUAL 0 OR NOT said MATCHES "^([0-9]+)[.,]([0-9][0-9][0-9])\n$")
    message(FATAL_ERROR "${program} does not compile, or not quietly:\n${said}")
  endif()
  math(EXPR spent "${CMAKE_MATCH_1} * 1000 + 1${CMAKE_MATCH_2} - 1000")
  if(spent LESS best)
    set(best ${spent})
  endif()
endforeach()
message(STATUS "empty program with crispnas/spec.hpp: ${best} ms of processor time")
if(best GREATER_EQUAL limit_ms)
  message(FATAL_ERROR "That is not under ${limit_ms} ms.")
endif()
