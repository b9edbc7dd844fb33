// What does the ledger keep of a search? The epochs with the weights of ops and edges, the cuts with their gaps, how crisp it became.
#pragma once

#include <cmath>
#include <crispnas/crispnas.hpp>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiment.hpp"
#include "output.hpp"
#include "statistics.hpp"

namespace support {

namespace detail {

/// Of weights as shares of their sum, which is not 1 where several ops stay on an edge, or their weights are sigmoids.
inline double entropy_of(std::span<const double> weights) {
  double total = 0.0, sum = 0.0;
  for (double w : weights) total += w;
  for (double w : weights) {
    if (w > 0) sum -= w / total * std::log(w / total);
  }
  return sum;
}

/// Mean entropy of the ops of an edge, and of the shares of a group that has something to choose; nats, over all cell types.
inline std::pair<double, nlohmann::json> entropies_of(const cn::space_table& space,
                                                      const cn::network_weights& soft) {
  std::vector<double> ops, edges;
  for (std::size_t type = 0; type < soft.size(); ++type) {
    const cn::cell_table& cell = space.cell(static_cast<int>(type));
    const auto op = cn::detail::to_host(soft[type].ops);
    const auto count = space.op_names.size();
    for (std::size_t e = 0; e < cell.edges.size(); ++e) {
      if (cell.has(e)) ops.push_back(entropy_of(std::span(op).subspan(e * count, count)));
    }
    if (!soft[type].edges.defined()) continue;
    const auto weight = cn::detail::to_host(soft[type].edges);
    for (const auto& group : cell.groups) {
      std::vector<double> shares;
      double sum = 0.0;
      for (std::size_t e = 0; e < weight.size(); ++e) {
        if (!((group.edges & cell.present) >> e & 1U)) continue;
        shares.push_back(weight[e]);
        sum += weight[e];
      }
      if (static_cast<int>(shares.size()) <= group.kept || sum <= 0) continue;
      edges.push_back(entropy_of(shares));
    }
  }
  return {mean_of(ops), edges.empty() ? nlohmann::json() : nlohmann::json(mean_of(edges))};
}

inline nlohmann::json rounded(const at::Tensor& t) {
  auto values = cn::detail::to_host(t);
  for (auto& v : values) v = std::round(v * 1e5) / 1e5;
  return values;
}

}  // namespace detail

/// The genotype as text; nothing where a cell has lost all its ops (a threshold can do that), which no network can be made of.
inline std::string cell_text(const cn::genotype& found) {
  const bool whole = found.normal.count > 0 && (!found.has_reduction || found.reduction.count > 0);
  return whole ? cn::to_text(found) : std::string();
}

inline nlohmann::json search_json(const cn::space_table& space, const search_result& found) {
  nlohmann::json json{{"search_seconds", found.seconds}};
  for (std::size_t e = 0; e < found.epochs.size(); ++e) {
    const auto& report = found.epochs[e].report;
    nlohmann::json epoch{{"epoch", report.epoch},
                         {"train_loss", report.train_loss},
                         {"train_accuracy", report.train_accuracy},
                         {"arch_loss", report.arch_loss},
                         {"weight_rate", report.weight_rate},
                         {"seconds", report.seconds}};
    for (const auto& term : report.terms) epoch["terms"][term.name] = {term.value, term.factor};
    for (const auto& cell : found.epochs[e].weights) {  // of each cell type: [edges * ops], [edges]
      epoch["ops"].push_back(detail::rounded(cell.ops));
      epoch["edges"].push_back(cell.edges.defined() ? detail::rounded(cell.edges) : nlohmann::json());
    }
    json["epochs"].push_back(std::move(epoch));
  }
  for (std::size_t i = 0; i < found.budgets.size(); ++i) {
    int changed = 0;
    for (const auto& cell : found.cuts[i]) changed += cell.kept.changed_by_feasibility() ? 1 : 0;
    json["cuts"].push_back({{"kept", found.budgets[i]},
                            {"genotype", cell_text(found.genotypes[i])},
                            {"gap", gap_json(found.gaps[i])},
                            {"cells_changed_by_feasibility", changed}});
  }
  const auto [ops, edges] = detail::entropies_of(space, found.epochs.back().weights);
  json["op_entropy"] = ops;
  json["edge_entropy"] = edges;
  return json;
}

}  // namespace support
