# How much longer does a program compile that searches one more budget? Under ten seconds of processor time: the spec
# becomes tables, and what reads the tables is compiled once.
cmake_minimum_required(VERSION 3.25)
set(limit_ms 10000)
set(half_limit_ms 5000)
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

# Both programs are compiled at the same time: what slows the machine down slows both. Each has a shell of its own, because `time` counts
# all children that end while it waits.
function(processor_times one two)
  execute_process(
    COMMAND bash -c "TIMEFORMAT=%U
      timed() { time \"\${@:2}\" -c '${program}' -o '${program}'.$1.o; }
      timed one \"$@\" 2> '${SCRATCH}/one.time' & first=$!
      timed two \"$@\" -DTWO 2> '${SCRATCH}/two.time' & second=$!
      wait $first && wait $second" - "${COMPILER}" ${flags}
    RESULT_VARIABLE code)
  foreach(name IN ITEMS one two)
    file(READ "${SCRATCH}/${name}.time" said_of_${name})
  endforeach()
  foreach(name IN ITEMS one two)
    if(NOT code EQUAL 0 OR NOT said_of_${name} MATCHES "^([0-9]+)[.,]([0-9][0-9][0-9])\n$")
      message(FATAL_ERROR "${program} does not compile, or not quietly:\n${said_of_one}${said_of_two}")
    endif()
    math(EXPR spent "${CMAKE_MATCH_1} * 1000 + 1${CMAKE_MATCH_2} - 1000")
    set(${${name}} ${spent} PARENT_SCOPE)
  endforeach()
endfunction()

# The same program, compiled again, takes seconds more or less. So one pair is enough where it is far below the limit; else two of three
# decide.
set(differences)
foreach(pair RANGE 1 3)
  processor_times(one two)
  math(EXPR more "${two} - ${one}")
  message(STATUS "a program with one budget: ${one} ms of processor time; with a second budget: ${more} ms more")
  list(APPEND differences ${more})
  if(pair EQUAL 1 AND more LESS ${half_limit_ms})
    return()
  endif()
endforeach()
set(too_long 0)
foreach(more IN LISTS differences)
  if(more GREATER_EQUAL limit_ms)
    math(EXPR too_long "${too_long} + 1")
  endif()
endforeach()
if(too_long GREATER 1)
  message(FATAL_ERROR "Of three times, ${too_long} are not under ${limit_ms} ms: ${differences}.")
endif()
