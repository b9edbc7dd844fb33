// Which edges are kept? The feasible kept set with the largest sum of log edge weights, found exactly.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <crispnas/spec/feasible.hpp>
#include <crispnas/spec/table.hpp>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace crispnas {

/// The kept edges (bit e of `edges`) and living states (bit s of `alive`) of a cut cell.
struct kept_set {
  std::uint64_t edges = 0;
  std::uint32_t alive = 0;
  double score = 0.0;       ///< sum of log weights of the kept edges
  std::uint64_t naive = 0;  ///< what the strongest edges of each group would have been, reachable or not
  bool changed_by_feasibility() const { return edges != naive; }
};

namespace detail {

inline double log_weight(double weight) {
  constexpr double least = 1e-300;  // a weight of zero is the worst, not a NaN
  return std::log(std::max(weight, least));
}

/// The `count` best of `candidates`, ties to the lower index.
inline std::uint64_t best_of(std::uint64_t candidates, int count, std::span<const double> weights) {
  std::uint64_t chosen = 0;
  for (int i = 0; i < count; ++i) {
    int best = -1;
    for (std::uint64_t left = candidates & ~chosen; left != 0; left &= left - 1) {
      const int e = std::countr_zero(left);
      if (best < 0 || weights[static_cast<std::size_t>(e)] > weights[static_cast<std::size_t>(best)])
        best = e;
    }
    if (best < 0) break;
    chosen |= std::uint64_t{1} << best;
  }
  return chosen;
}

/// Whether a is before b when both are read as ascending lists of edges.
inline bool lower(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t difference = a ^ b;
  return difference != 0 && ((a >> std::countr_zero(difference)) & 1U);
}

}  // namespace detail

/// weights: [edges] >= 0, one per edge of the cell. Given which nodes live, the groups are independent, and in a group the best
/// edge of each living node plus the best of the rest is optimal (swapping either for another never gains). So all sets of
/// living nodes are tried (for_each_living_set); no enumeration of edge sets is needed. Ties go to the lower edges.
inline kept_set best_kept_set(const cell_table& cell, std::span<const double> weights) {
  kept_set best;
  best.score = -std::numeric_limits<double>::infinity();
  for (const auto& group : cell.groups) best.naive |= detail::best_of(group.edges, group.kept, weights);
  for_each_living_set(
      cell.edges, cell.groups, cell.inputs, cell.nodes, cell.output, [&](std::uint32_t alive) {
        std::uint64_t edges = 0;
        for (const auto& group : cell.groups) {
          const std::uint64_t usable = usable_edges(cell.edges, group, alive);
          std::uint64_t needed = 0;
          for (std::uint32_t nodes = group.nodes & alive; nodes != 0; nodes &= nodes - 1) {
            std::uint64_t entering = 0;
            for (std::uint64_t left = usable; left != 0; left &= left - 1) {
              const int e = std::countr_zero(left);
              if (cell.edges[static_cast<std::size_t>(e)].to == std::countr_zero(nodes))
                entering |= std::uint64_t{1} << e;
            }
            needed |= detail::best_of(entering, 1, weights);
          }
          edges |= needed | detail::best_of(usable & ~needed, group.kept - std::popcount(needed), weights);
        }
        double score = 0.0;
        for (std::uint64_t left = edges; left != 0; left &= left - 1) {
          score += detail::log_weight(weights[static_cast<std::size_t>(std::countr_zero(left))]);
        }
        if (score > best.score || (score == best.score && detail::lower(edges, best.edges))) {
          best.edges = edges;
          best.alive = alive;
          best.score = score;
        }
      });
  return best;
}

}  // namespace crispnas
