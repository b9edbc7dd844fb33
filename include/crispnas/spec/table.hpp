// What does the non-template code see of a spec? Plain tables, filled at compile time. A new configuration
// costs a table, not a second super-network.
#pragma once

#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <crispnas/spec/policies.hpp>
#include <cstdint>
#include <span>
#include <string_view>

namespace crispnas {

/// A cell graph with its budget.
struct cell_table {
  int inputs = 0;
  int nodes = 0;
  std::span<const edge> edges;  ///< sorted by target, then source
  std::uint64_t present =
      0;  ///< bit e: edge e is in some feasible kept set, so it exists in the super-network
  std::span<const group_table> groups;  ///< of the budget
  cell_output output = cell_output::concat;

  constexpr int states() const { return inputs + nodes; }
  constexpr bool has(std::size_t e) const { return (present >> e) & 1U; }
  constexpr int kept() const {
    int sum = 0;
    for (const auto& g : groups) sum += g.kept;
    return sum;
  }
};

/// A whole spec as plain data.
struct space_table {
  std::span<const std::string_view> op_names;
  cell_table normal;
  cell_table reduction;  ///< same as normal where the skeleton has one cell type
  skeleton layout = skeleton::stacked;
  int partial = 1;  ///< K: ops see 1/K of the channels
  int ops_per_edge = 1;
  int op_threshold = 0;  ///< percent: weaker ops go at the cut
  op_weight_rule op_rule = op_weight_rule::softmax;
  bool swapped_betas = false;
  edge_weight_rule weights = edge_weight_rule::none;
  beta_cap_rule cap = beta_cap_rule::clamp;
  liveness_rule liveness = liveness_rule::none;
  edge_choice_rule choice = edge_choice_rule::edge_weight;

  /// Normal and reduction cells have their own alpha and beta in a stacked network; elsewhere there is one
  /// type.
  constexpr int cell_types() const { return layout == skeleton::stacked ? 2 : 1; }
  constexpr const cell_table& cell(int type) const { return type == 0 ? normal : reduction; }
  constexpr bool has_edge_weights() const { return weights != edge_weight_rule::none; }
};

}  // namespace crispnas
