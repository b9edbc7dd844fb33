// The definition of a feasible kept set, in the plainest words: try every subset of the edges.
#pragma once

#include <bit>
#include <crispnas/spec.hpp>
#include <cstdint>

namespace brute_force {

/// What can be said about all kept sets of a budget.
struct answer {
  std::uint64_t possible = 0;  ///< the union of all feasible kept sets
  std::uint64_t living_sets =
      0;  ///< bit n: the nodes n (bit 0 = first node) are the living ones of some kept set; up to 6 nodes
  int kept_sets = 0;
  friend constexpr bool operator==(const answer&, const answer&) = default;
};

/// A set is feasible when every group keeps its number of edges, every kept edge starts at an input or at a
/// node that keeps an edge itself, something lives, and the last node does where it is the output.
template <class Cell, class Budget>
constexpr answer enumerate() {
  answer found;
  const auto groups = Budget::template groups<Cell>();
  constexpr int count = static_cast<int>(Cell::edges.size());
  for (std::uint64_t set = 0; set < (std::uint64_t{1} << count); ++set) {
    bool fits = true;
    for (const auto& group : groups) fits = fits && std::popcount(set & group.edges) == group.kept;
    if (!fits) continue;
    std::uint32_t entered = 0;
    for (int e = 0; e < count; ++e) {
      if ((set >> e) & 1U) entered |= std::uint32_t{1} << Cell::edges[static_cast<std::size_t>(e)].to;
    }
    for (int e = 0; e < count; ++e) {
      const int from = Cell::edges[static_cast<std::size_t>(e)].from;
      if (((set >> e) & 1U) && from >= Cell::inputs && !((entered >> from) & 1U)) fits = false;
    }
    if (Cell::output == crispnas::cell_output::last && !((entered >> (Cell::inputs + Cell::nodes - 1)) & 1U))
      fits = false;
    if (!fits || entered == 0) continue;
    ++found.kept_sets;
    found.possible |= set;
    found.living_sets |= std::uint64_t{1} << (entered >> Cell::inputs);
  }
  return found;
}

/// The same from the library's living sets; kept_sets is left 0.
template <class Cell, class Budget>
constexpr answer by_library() {
  answer found;
  const auto groups = Budget::template groups<Cell>();
  found.possible = crispnas::possible_edges(Cell::edges, groups, Cell::inputs, Cell::nodes, Cell::output);
  crispnas::for_each_living_set(
      Cell::edges, groups, Cell::inputs, Cell::nodes, Cell::output,
      [&](std::uint32_t alive) { found.living_sets |= std::uint64_t{1} << (alive >> Cell::inputs); });
  return found;
}

/// Trying every subset takes a compiler seconds: once for each question.
template <class Cell, class Budget>
inline constexpr answer all_of = enumerate<Cell, Budget>();

template <class Cell, class Budget>
constexpr bool agrees() {
  answer brute = all_of<Cell, Budget>;
  brute.kept_sets = 0;
  return brute == by_library<Cell, Budget>();
}

}  // namespace brute_force
