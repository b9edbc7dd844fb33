// A random cell of a budget: what a searched one is compared with.
#pragma once

#include <crispnas/discretize/cut.hpp>
#include <cstdint>
#include <random>
#include <vector>

namespace crispnas {

/// Random edge scores cut to the budget, and a random op on every edge. Any feasible kept set can come out.
inline network_cut random_cut(const space_table& space, const cell_table& normal, const cell_table& reduction,
                              std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&] { return double(random() >> 11) * 0x1.0p-53; };
  network_cut cut;
  for (int type = 0; type < space.cell_types(); ++type) {
    const cell_table& cell = type == 0 ? normal : reduction;
    std::vector<double> edges(cell.edges.size());
    for (std::size_t e = 0; e < edges.size(); ++e) edges[e] = space.cell(type).has(e) ? unit() : 0.0;
    std::vector<double> ops(cell.edges.size() * space.op_names.size());
    for (auto& o : ops) o = unit();
    cut.push_back({best_kept_set(cell, edges), detail::strongest_ops(space, ops)});
  }
  return cut;
}

}  // namespace crispnas
