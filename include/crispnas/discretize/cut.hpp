// What is cut? The kept edges and ops of every cell type, and the weights that a cut super-network runs with.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <crispnas/discretize/kept_set.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace crispnas {

/// A cell type after the cut.
struct cell_cut {
  kept_set kept;
  std::vector<std::vector<int>> ops;  ///< of every edge, strongest first. Kept edges use theirs.
};
using network_cut = std::vector<cell_cut>;  ///< one per cell type

namespace detail {

inline std::vector<double> to_host(const at::Tensor& t) {
  const at::Tensor flat = t.detach().to(at::kCPU, at::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

/// Whether `none` can be an edge's op after the cut. In the DARTS space it cannot: the budget says which edges are absent. In
/// residual stages (NAS-Bench-201) every edge is kept and `none` is how a cell leaves one out: 5^6 cells, not 4^6. Where the spec
/// looks after liveness the cut then keeps a path to the output (keep_a_path).
inline bool keeps_none(const space_table& space) { return space.layout == skeleton::residual_stages; }

/// The strongest ops of each edge, ties to the lower index.
inline std::vector<std::vector<int>> strongest_ops(const space_table& space,
                                                   const std::vector<double>& weights) {
  const std::size_t ops = space.op_names.size();
  std::vector<std::vector<int>> chosen(weights.size() / ops);
  for (std::size_t e = 0; e < chosen.size(); ++e) {
    std::vector<int> order;
    for (std::size_t o = 0; o < ops; ++o) {
      if (keeps_none(space) || space.op_names[o] != "none" || ops == 1) order.push_back(static_cast<int>(o));
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return weights[e * ops + static_cast<std::size_t>(a)] > weights[e * ops + static_cast<std::size_t>(b)];
    });
    order.resize(std::min(order.size(), static_cast<std::size_t>(space.ops_per_edge)));
    chosen[e] = order;
  }
  return chosen;
}

/// Where `none` can be kept it may not take every path from the cell's inputs to its output: such a cell carries nothing, though
/// the super-network's soft weights and batch norms hide it. Of all choices that leave one path, the one with the largest sum of
/// log op weights differs from `chosen` on one path alone: the shortest, where an edge is as long as it costs to keep its best op
/// that is not `none`. Edges are sorted by target, so one pass finds it.
inline void keep_a_path(const space_table& space, const cell_table& cell, std::uint64_t kept,
                        const std::vector<double>& weights, std::vector<std::vector<int>>& chosen) {
  const std::size_t ops = space.op_names.size();
  const auto states = static_cast<std::size_t>(cell.states());
  std::vector<double> length(states, std::numeric_limits<double>::infinity());
  std::vector<int> entered_by(states, -1);
  std::vector<int> living(cell.edges.size(), -1);  // the best op that is not `none`
  std::fill_n(length.begin(), cell.inputs, 0.0);
  for (std::size_t e = 0; e < cell.edges.size(); ++e) {
    for (std::size_t o = 0; o < ops; ++o) {
      if (space.op_names[o] == "none") continue;
      if (living[e] < 0 || weights[e * ops + o] > weights[e * ops + static_cast<std::size_t>(living[e])])
        living[e] = static_cast<int>(o);
    }
    if (living[e] < 0 || !((kept >> e) & 1U)) continue;
    const auto log_of = [&](int o) { return log_weight(weights[e * ops + static_cast<std::size_t>(o)]); };
    const auto from = static_cast<std::size_t>(cell.edges[e].from);
    const auto to = static_cast<std::size_t>(cell.edges[e].to);
    const double through = length[from] + log_of(chosen[e].front()) - log_of(living[e]);
    if (through < length[to]) {
      length[to] = through;
      entered_by[to] = static_cast<int>(e);
    }
  }
  auto end = states - 1;
  if (cell.output == cell_output::concat)
    end = static_cast<std::size_t>(std::min_element(length.begin() + cell.inputs, length.end()) -
                                   length.begin());
  for (int e = entered_by[end]; e >= 0;) {
    const auto i = static_cast<std::size_t>(e);
    chosen[i] = {living[i]};
    e = entered_by[static_cast<std::size_t>(cell.edges[i].from)];
  }
}

/// Takes ops that are weaker than the spec's threshold out of the cut, edges with them, and nodes that nothing enters any more.
/// As published, nothing asks whether a source lives.
inline void drop_weak(const space_table& space, const cell_table& cell, const std::vector<double>& weights,
                      cell_cut& cut) {
  const double threshold = space.op_threshold / 100.0;
  cut.kept.alive = (std::uint32_t{1} << cell.inputs) - 1U;
  for (std::size_t e = 0; e < cut.ops.size(); ++e) {
    if (!((cut.kept.edges >> e) & 1U)) continue;
    std::vector<int> strong;
    for (int o : cut.ops[e]) {
      if (weights[e * space.op_names.size() + static_cast<std::size_t>(o)] >= threshold) strong.push_back(o);
    }
    if (strong.empty()) {  // its strongest op is kept for cutting ops alone
      cut.kept.edges &= ~(std::uint64_t{1} << e);
    } else {
      cut.ops[e] = strong;
      cut.kept.alive |= std::uint32_t{1} << cell.edges[e].to;
    }
  }
}

}  // namespace detail

/// Cuts one cell type to the budget of `cell`. ops: [edges, ops] weights; edges: [edges] > 0, what ranks them, or undefined.
/// `exist`: the edges of the super-network, which may have been searched for another budget; one that it lacks comes last.
inline cell_cut cut_cell(const space_table& space, const cell_table& cell, const at::Tensor& ops,
                         const at::Tensor& edges, std::uint64_t exist = ~std::uint64_t{0}) {
  const auto op_weight = detail::to_host(ops);
  cell_cut cut{{}, detail::strongest_ops(space, op_weight)};
  std::vector<double> score(cell.edges.size(), 1.0);
  if (edges.defined() && space.choice != edge_choice_rule::strongest_op) score = detail::to_host(edges);
  if (space.choice == edge_choice_rule::strongest_op || space.choice == edge_choice_rule::product) {
    for (std::size_t e = 0; e < score.size(); ++e) {
      score[e] *= op_weight[e * space.op_names.size() + static_cast<std::size_t>(cut.ops[e].front())];
    }
  }
  for (std::size_t e = 0; e < score.size(); ++e) {
    if (!((exist >> e) & 1U)) score[e] = 0.0;
  }
  cut.kept = best_kept_set(cell, score);
  // As published, nothing looks after the output; and of two ops or more on an edge, one is not `none`.
  if (detail::keeps_none(space) && space.liveness != liveness_rule::none && space.ops_per_edge == 1)
    detail::keep_a_path(space, cell, cut.kept.edges, op_weight, cut.ops);
  if (space.op_threshold > 0) detail::drop_weak(space, cell, op_weight, cut);
  return cut;
}

/// Cuts every cell type of a super-network to the budgets of `normal` and `reduction`, which may be other budgets than the one
/// that it was searched for, over the same graph. Throws crispnas::error where it is another graph, or where a budget needs an
/// edge that does not exist in the super-network.
inline network_cut cut_network(const any_supernet& net, const cell_table& normal,
                               const cell_table& reduction) {
  const network_weights soft = net.arch().ranking_weights();
  network_cut cut;
  for (std::size_t type = 0; type < soft.size(); ++type) {
    if (!std::ranges::equal((type == 0 ? normal : reduction).edges,
                            net.space().cell(static_cast<int>(type)).edges)) {
      throw error(
          "crispnas::cut_network: the budget is one of another cell graph than the super-network's. Take "
          "budget_tables<cell, budget> of the same cell.");
    }
    const bool by_beta = net.space().choice == edge_choice_rule::beta && net.space().has_edge_weights();
    const at::Tensor edges =
        by_beta ? net.arch().beta(static_cast<int>(type)).detach().exp() : soft[type].edges;
    cut.push_back(cut_cell(net.space(), type == 0 ? normal : reduction, soft[type].ops, edges,
                           net.space().cell(static_cast<int>(type)).present));
    if ((cut.back().kept.edges & ~net.space().cell(static_cast<int>(type)).present) != 0) {
      throw error(
          "crispnas::cut_network: this budget needs an edge that the super-network does not have, since no "
          "kept set of its own "
          "budget has it. Search with a budget in which the edge can be kept.");
    }
  }
  return cut;
}

/// Cuts a super-network to its own budget.
inline network_cut cut_network(const any_supernet& net) {
  return cut_network(net, net.space().normal, net.space().reduction);
}

/// What of a cut is carried out; the rest stays soft.
enum class cut_part { ops, edges, both };

/// The weights of a super-network that is cut: kept ops and kept edges at weight 1, the others at 0.
/// `soft` are its own weights. `kept_edges_at_one` false leaves kept edges at their soft weight.
inline network_weights cut_weights(const space_table& space, const network_cut& cut,
                                   const network_weights& soft, cut_part part = cut_part::both,
                                   bool kept_edges_at_one = true) {
  network_weights hard;
  const auto ops = static_cast<std::int64_t>(space.op_names.size());
  for (std::size_t type = 0; type < soft.size(); ++type) {
    const auto edges = soft[type].ops.size(0);
    const auto options = at::TensorOptions().dtype(at::kDouble);
    at::Tensor op_mask = at::zeros({edges, ops}, options);
    at::Tensor edge_mask = at::zeros({edges}, options);
    for (std::int64_t e = 0; e < edges; ++e) {
      const bool kept = (cut[type].kept.edges >> e) & 1U;
      edge_mask.data_ptr<double>()[e] = kept ? 1.0 : 0.0;
      for (int o : cut[type].ops[static_cast<std::size_t>(e)]) op_mask.data_ptr<double>()[e * ops + o] = 1.0;
    }
    cell_weights w{soft[type].ops, soft[type].edges, {}};
    if (part != cut_part::edges) w.ops = op_mask.to(w.ops.options());
    if (part != cut_part::ops) {
      const at::Tensor mask = edge_mask.to(soft[type].ops.options());
      w.edges = kept_edges_at_one || !w.edges.defined() ? mask : mask * w.edges;
    }
    // Ops without weight are skipped, so that evaluating a cut costs what the cut cell costs.
    w.used.assign(static_cast<std::size_t>(edges * ops), 1);
    for (std::int64_t i = 0; i < edges * ops; ++i) {
      const bool op_used = part == cut_part::edges || op_mask.data_ptr<double>()[i] != 0.0;
      const bool edge_used = part == cut_part::ops || edge_mask.data_ptr<double>()[i / ops] != 0.0;
      w.used[static_cast<std::size_t>(i)] = op_used && edge_used ? 1 : 0;
    }
    hard.push_back(std::move(w));
  }
  return hard;
}

}  // namespace crispnas
