// Can a network be made of this cell? Counting and building ask the same question, so that what is counted can be built.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <cstdint>
#include <string>

namespace crispnas::detail {

[[noreturn]] inline void this_cell_cannot_be_built(const char* who, const std::string& why) {
  throw error(std::string(who) + ": " + why);
}

/// Throws crispnas::error, which begins with `who`, where the cell has no output, where an edge starts at a node that nothing
/// enters, where a state is put out that is not there or that nothing enters, or where a cell that `reduces` puts out one of its
/// inputs, which are larger than its nodes.
constexpr void check_buildable(const char* who, const cell_genotype& cell, bool reduces) {
  if (cell.concat == 0)
    this_cell_cannot_be_built(who, "a cell of this genotype has no output. Name the nodes that it puts out.");
  for (const gene& g : cell) {
    if (!cell.alive(g.from)) {
      this_cell_cannot_be_built(who, "the edge " + std::to_string(g.from) + " -> " + std::to_string(g.to) +
                                         " starts at a node that nothing enters.");
    }
  }
  for (int s = 0; s < 32; ++s) {
    if (!((cell.concat >> s) & 1U)) continue;
    const auto fail = [&](const char* why) {
      this_cell_cannot_be_built(who, "state " + std::to_string(s) + " is put out, but " + why);
    };
    if (s >= cell.states()) fail("the cell has no such state.");
    if (!cell.alive(s)) fail("nothing enters it. Leave it out of the concat.");
    if (reduces && s < cell.inputs) fail("as an input it is larger than the nodes of a cell that reduces.");
  }
}

/// Both cell types of a stacked network; a genotype of one cell reduces with it, too.
constexpr void check_buildable_stack(const char* who, const genotype& g) {
  const cell_genotype& reduction = g.has_reduction ? g.reduction : g.normal;
  if (g.normal.inputs > 2 || reduction.inputs != g.normal.inputs) {
    this_cell_cannot_be_built(
        who, "the cells of a stacked network read one or two cells, normal and reduction cells the same.");
  }
  check_buildable(who, g.normal, false);
  check_buildable(who, reduction, true);
}

/// The one cell type of a NAS-Bench-201 network.
constexpr void check_buildable_stages(const char* who, const genotype& g) {
  const cell_genotype& cell = g.normal;
  if (g.has_reduction || cell.inputs != 1 || cell.concat == 0 || (cell.concat & (cell.concat - 1)) != 0) {
    this_cell_cannot_be_built(
        who, "a NAS-Bench-201 network is made of one cell type of one input that puts out one node.");
  }
  check_buildable(who, cell, false);
}

}  // namespace crispnas::detail
