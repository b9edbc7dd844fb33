// What happened in a search, epoch by epoch, as plain numbers: what the report, the files beside it and TensorBoard show.
#pragma once

#include <bit>
#include <cmath>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/table.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

namespace cn = crispnas;

/// One cell type; only edges that exist in the super-network.
struct cell_history {
  std::string name;  ///< normal, reduction
  int inputs = 2;
  int nodes = 4;
  std::vector<cn::edge> edges;
  std::vector<std::vector<std::size_t>> groups;              ///< edges among which the budget chooses
  std::vector<std::vector<std::vector<double>>> op_weights;  ///< [epoch][edge][op]
  std::vector<std::vector<double>> edge_weights;             ///< [epoch][edge]; empty: every edge counts 1
};

struct epoch_history {
  struct term {
    std::string name;
    double value = 0.0;   ///< unweighted, at the last step
    double factor = 0.0;  ///< strength included
  };
  int epoch = 0;  ///< from 1
  double weight_rate = 0.0;
  double train_loss = 0.0;
  double train_accuracy = 0.0;  ///< percent
  double arch_loss = 0.0;       ///< NaN while alpha and beta wait
  double before = 0.0;          ///< held-out accuracy in percent
  double after = 0.0;           ///< the same, cut
  std::vector<term> terms;
  double seconds = 0.0;
};

struct search_history {
  std::vector<std::string> ops;
  std::vector<epoch_history> epochs;
  std::vector<cell_history> cells;
};

/// What a search in `space` has weights of, and no epochs yet.
inline search_history empty_history(const cn::space_table& space) {
  search_history history;
  history.ops.assign(space.op_names.begin(), space.op_names.end());
  for (int type = 0; type < space.cell_types(); ++type) {
    const cn::cell_table& table = space.cell(type);
    cell_history cell;
    cell.name = type == 0 ? "normal" : "reduction";
    cell.inputs = table.inputs;
    cell.nodes = table.nodes;
    std::vector<std::size_t> place(table.edges.size());
    for (std::size_t e = 0; e < table.edges.size(); ++e) {
      place[e] = cell.edges.size();
      if (table.has(e)) cell.edges.push_back(table.edges[e]);
    }
    for (const auto& group : table.groups) {
      const std::uint64_t members = group.edges & table.present;
      if (!space.has_edge_weights() || group.kept >= std::popcount(members)) continue;  // nothing to choose
      cell.groups.emplace_back();
      for (std::size_t e = 0; e < table.edges.size(); ++e)
        if (members >> e & 1U) cell.groups.back().push_back(place[e]);
    }
    history.cells.push_back(std::move(cell));
  }
  return history;
}

/// Entropy of non-negative weights as a share of the largest one possible: 1 is undecided, 0 is crisp.
inline double entropy_share(const std::vector<double>& weights) {
  double sum = 0.0;
  for (const double w : weights) sum += w;
  double entropy = 0.0;
  for (const double w : weights) {
    if (w > 0 && sum > 0) entropy -= w / sum * std::log(w / sum);
  }
  return weights.size() < 2 ? 0.0 : entropy / std::log(double(weights.size()));
}

/// Mean over the edges of a cell, one value per epoch.
inline std::vector<double> op_entropies(const cell_history& cell) {
  std::vector<double> values;
  for (const auto& edges : cell.op_weights) {
    double sum = 0.0;
    for (const auto& ops : edges) sum += entropy_share(ops);
    values.push_back(edges.empty() ? 0.0 : sum / double(edges.size()));
  }
  return values;
}

/// Mean over the groups that have something to choose; empty where there is none, or no edge weights.
inline std::vector<double> edge_entropies(const cell_history& cell) {
  std::vector<double> values;
  if (cell.groups.empty()) return values;
  for (const auto& weights : cell.edge_weights) {
    double sum = 0.0;
    for (const auto& group : cell.groups) {
      std::vector<double> members;
      members.reserve(group.size());
      for (const std::size_t e : group) members.push_back(weights[e]);
      sum += entropy_share(members);
    }
    values.push_back(sum / double(cell.groups.size()));
  }
  return values;
}

/// The names of the ops that a genotype keeps on an edge; empty where it is cut.
inline std::vector<std::string_view> kept_ops(const cn::cell_genotype& cell, const cn::edge& e) {
  std::vector<std::string_view> ops;
  for (const auto& g : cell) {
    if (g.from == e.from && g.to == e.to) ops.push_back(g.op.view());
  }
  return ops;
}

}  // namespace support
