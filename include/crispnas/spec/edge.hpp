// What is an edge? A pair of states of a cell: data flows from `from` to `to`.
#pragma once

#include <compare>

namespace crispnas {

/// One edge of a cell. States 0 .. inputs-1 are the cell's inputs, the following ones its nodes (as in
/// published genotypes); an edge always goes from a lower to a higher state.
struct edge {
  int from = 0;
  int to = 0;
  friend constexpr auto operator<=>(const edge&, const edge&) = default;
};

}  // namespace crispnas
