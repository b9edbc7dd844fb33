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

/// Bit s: the state is an input, or an edge from a living state enters it.
constexpr std::uint32_t living_states(const cell_genotype& cell) {
  std::uint32_t living = (std::uint32_t{1} << cell.inputs) - 1U;
  for (int s = cell.inputs; s < cell.states(); ++s) {
    for (const gene& g : cell) {
      if (g.to == s && ((living >> g.from) & 1U)) living |= std::uint32_t{1} << s;
    }
  }
  return living;
}

/// Throws crispnas::error, which begins with `who`, where the cell has no output, where a state is put out that is not there or
/// that nothing enters, or where a cell that `reduces` puts out one of its inputs, which are larger than its nodes. An edge that
/// starts at a node that nothing enters is no mistake: FairDARTS has such cells, builds the op and never runs it.
constexpr void check_buildable(const char* who, const cell_genotype& cell, bool reduces) {
  if (cell.concat == 0)
    this_cell_cannot_be_built(who, "a cell of this genotype has no output. Name the nodes that it puts out.");
  const std::uint32_t living = living_states(cell);
  for (int s = 0; s < 32; ++s) {
    if (!((cell.concat >> s) & 1U)) continue;
    const char* why = nullptr;
    if (!((living >> s) & 1U)) why = "nothing enters it. Leave it out of the concat.";
    if (s >= cell.states()) why = "the cell has no such state.";
    if (reduces && s < cell.inputs) why = "as an input it is larger than the nodes of a cell that reduces.";
    if (why != nullptr)
      this_cell_cannot_be_built(who, "state " + std::to_string(s) + " is put out, but " + std::string(why));
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
