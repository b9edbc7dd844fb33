// Which kept sets are alive? A kept edge must start at a cell input or at a node that itself keeps an edge.
// Whether a budget can be met, and which edges are in some feasible kept set, follows from the sets of living
// nodes alone. Few nodes are open: one that has a group of its own lives if the group keeps an edge, so only
// those of joint groups can go either way.
#pragma once

#include <bit>
#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crispnas {

/// The edges of `group` whose source and target live. `alive` has a bit for every living state, inputs
/// included.
constexpr std::uint64_t usable_edges(std::span<const edge> edges, const group_table& group,
                                     std::uint32_t alive) {
  std::uint64_t usable = 0;
  for (std::size_t e = 0; e < edges.size(); ++e) {
    const bool lives = ((alive >> edges[e].from) & 1U) && ((alive >> edges[e].to) & 1U);
    if (lives && ((group.edges >> e) & 1U)) usable |= std::uint64_t{1} << e;
  }
  return usable;
}

/// Whether exactly the nodes in `alive` can live: every group keeps its number of edges, all from living
/// sources, and every living node of the group gets at least one of them.
constexpr bool can_live(std::span<const edge> edges, std::span<const group_table> groups,
                        std::uint32_t alive) {
  for (const group_table& group : groups) {
    const std::uint32_t living = group.nodes & alive;
    const std::uint64_t usable = usable_edges(edges, group, alive);
    std::uint32_t reached = 0;
    for (std::size_t e = 0; e < edges.size(); ++e) {
      if ((usable >> e) & 1U) reached |= std::uint32_t{1} << edges[e].to;
    }
    const int need = std::popcount(living);
    if (reached != living || need > group.kept || group.kept > std::popcount(usable)) return false;
  }
  return true;
}

/// The nodes that the budget leaves open: those of joint groups that keep an edge. Bit s is state s.
constexpr std::uint32_t open_nodes(std::span<const group_table> groups) {
  std::uint32_t open = 0;
  for (const group_table& group : groups) {
    if (group.kept > 0 && std::popcount(group.nodes) > 1) open |= group.nodes;
  }
  return open;
}

/// The nodes that live in any case, if the budget can be met at all: alone in a group that keeps an edge.
constexpr std::uint32_t settled_nodes(std::span<const group_table> groups) {
  std::uint32_t settled = 0;
  for (const group_table& group : groups) {
    if (group.kept > 0 && std::popcount(group.nodes) == 1) settled |= group.nodes;
  }
  return settled;
}

/// Calls `f(alive)` for each set of living states that the budget can meet, in ascending order of the bit
/// set.
template <class F>
constexpr void for_each_living_set(std::span<const edge> edges, std::span<const group_table> groups,
                                   int inputs, int nodes, cell_output output, F f) {
  const std::uint32_t input_bits = (std::uint32_t{1} << inputs) - 1U;
  const std::uint32_t last = std::uint32_t{1} << (inputs + nodes - 1);
  const std::uint32_t open = open_nodes(groups);
  const std::uint32_t settled = settled_nodes(groups);
  std::uint32_t chosen = 0;
  do {  // the subsets of the open nodes, ascending
    const std::uint32_t living = settled | chosen;
    const bool has_output = output == cell_output::last ? (living & last) != 0 : living != 0;
    if (has_output && can_live(edges, groups, input_bits | living)) f(input_bits | living);
    chosen = (chosen - open) & open;
  } while (chosen != 0);
}

/// The edges that are in at least one feasible kept set; 0 when no set is feasible. The others need not
/// exist.
constexpr std::uint64_t possible_edges(std::span<const edge> edges, std::span<const group_table> groups,
                                       int inputs, int nodes, cell_output output) {
  std::uint64_t possible = 0;
  for_each_living_set(edges, groups, inputs, nodes, output, [&](std::uint32_t alive) {
    for (const group_table& group : groups) {
      // Any usable edge can be the one that its target needs, so all of them are possible (if any is kept at
      // all).
      if (group.kept > 0) possible |= usable_edges(edges, group, alive);
    }
  });
  return possible;
}

}  // namespace crispnas
