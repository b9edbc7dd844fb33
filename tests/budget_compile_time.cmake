# How much longer does a program compile that searches one more budget? Under ten seconds of processor time: the spec
# becomes tables, and what reads the tables is compiled once.
cmake_minimum_required(VERSION 3.25)
set(limit_ms 10000)
set(program "${SCRATCH}/budgets.cpp")
file(WRITE "${program}" [[
#include <crispnas/crispnas.hpp>
namespace cn = crispnas;
template <class Spec>
double lost(const cn::labelled_images& data) {
  cn::supernet<Spec> net({.channels = 8, .cells = 3, .classes = 10});
  cn::searcher search(net, {.epochs = 2, .batch_size = 32});
  for (const auto& epoch : search.run(data)) static_cast<void>(epoch);
  const auto found = cn::discretize(net);
  const auto gap = cn::discretization_gap(net, found, data);
  return gap.before - gap.after;
}
struct three : cn::spec<cn::darts_cell, cn::partial_channels<4>, cn::edges_3_of_14, cn::da2s<>> {};
struct own : cn::spec<cn::darts_cell, cn::partial_channels<2>,
                      cn::edge_budget<cn::keep<3, cn::nodes<2, 4>>, cn::keep<2, cn::nodes<3>>, cn::keep<1, cn::nodes<5>>>,
                      cn::da2s<>> {};
double all(const cn::labelled_images& data) {
  double sum = lost<three>(data);
#if defined(TWO)
  sum += lost<own>(data);
#endif
  return sum;
}
]])

set(flags -std=c++20 -O2 -DCRISPNAS_SEPARATE_KERNELS -I "${INCLUDE}")
foreach(folder IN LISTS TORCH)
  list(APPEND flags -isystem "${folder}")
endforeach()

function(processor_time result)
  execute_process(
    COMMAND bash -c "TIMEFORMAT=%U; time \"$@\"" - "${COMPILER}" ${flags} ${ARGN} -c "${program}" -o "${program}.o"
    ERROR_VARIABLE said RESULT_VARIABLE code)
  if(NOT code EQUAL 0 OR NOT said MATCHES "^([0-9]+)[.,]([0-9][0-9][0-9])\n$")
    message(FATAL_ERROR "${program} does not compile, or not quietly:\n${said}")
  endif()
  math(EXPR spent "${CMAKE_MATCH_1} * 1000 + 1${CMAKE_MATCH_2} - 1000")
  set(${result} ${spent} PARENT_SCOPE)
endfunction()

processor_time(one)
processor_time(two -DTWO)
math(EXPR more "${two} - ${one}")
message(STATUS "a program with one budget: ${one} ms of processor time; with a second budget: ${more} ms more")
if(more GREATER_EQUAL limit_ms)
  message(FATAL_ERROR "That is not under ${limit_ms} ms.")
endif()
