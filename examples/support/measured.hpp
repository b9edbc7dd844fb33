// What do the seeds of one method at one budget say? Lists with a number for each finished seed, and the rows that tables make of them.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <crispnas/genotype/count/networks.hpp>
#include <crispnas/genotype/text.hpp>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "statistics.hpp"
#include "text_table.hpp"

namespace support {

/// One method at one budget. Accuracies and errors in percent; each list has an entry for each finished seed, `seeds` says which.
struct measured {
  std::string name;
  int kept = 0;
  std::size_t wanted = 0;             ///< how many searches were asked for
  std::size_t wanted_errors = 0;      ///< how many retrainings
  std::vector<std::uint64_t> seeds;   ///< of the lists that a search fills
  std::vector<double> before, after;  ///< held-out accuracy of the super-network, whole and cut
  std::vector<double> op_entropy,
      edge_entropy;             ///< mean over edges and groups, nats; the second empty without edge weights
  std::vector<double> seconds;  ///< of search
  std::vector<double> error;    ///< after training from scratch
  std::vector<double> top5_error;  ///< of photographs
  std::vector<std::string> genotypes;
  std::vector<std::string> devices;

  std::vector<double> lost() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < before.size(); ++i) all.push_back(before[i] - after[i]);
    return all;
  }
  /// Millions of parameters of the paper's CIFAR-10 network (C = 36, 20 cells) of each cell.
  std::vector<double> parameters() const {
    std::vector<double> all;
    for (const auto& text : genotypes)
      all.push_back(double(crispnas::count_cifar_network(crispnas::parse_genotype(text)).parameters()) / 1e6);
    return all;
  }
};

/// How often each op was chosen, over all cells.
inline std::map<std::string, int> op_counts(const std::vector<std::string>& genotypes) {
  std::map<std::string, int> counts;
  for (const auto& text : genotypes) {
    const auto found = crispnas::parse_genotype(text);
    for (const auto& g : found.normal) ++counts[std::string(g.op.view())];
    for (const auto& g : found.reduction) ++counts[std::string(g.op.view())];
  }
  return counts;
}

/// How much of the cells the seeds agree on (see agreement_of): kept edges, and kept edges with the same op.
struct cell_agreement {
  double edges = 0.0;
  double edges_and_ops = 0.0;
};

inline cell_agreement agreement_of_cells(const std::vector<std::string>& genotypes) {
  std::vector<std::set<std::string>> edges, genes;
  for (const auto& text : genotypes) {
    const auto found = crispnas::parse_genotype(text);
    edges.emplace_back();
    genes.emplace_back();
    for (const auto* cell : {&found.normal, &found.reduction}) {
      for (const auto& g : *cell) {
        const auto edge =
            fmt::format("{} {}->{}", cell == &found.normal ? "normal" : "reduction", g.from, g.to);
        edges.back().insert(edge);
        genes.back().insert(edge + " " + std::string(g.op.view()));
      }
    }
  }
  return {agreement_of(edges), agreement_of(genes)};
}

inline std::string gap_text(const measured& m) {
  if (m.before.empty()) return "not run";
  return fmt::format("{} -> {}", mean_text(m.before), mean_text(m.after));
}

/// "(2 of 3 seeds)" where something is missing.
inline std::string missing_text(std::size_t there, std::size_t wanted) {
  return there == wanted || there == 0 ? std::string() : fmt::format(" [{} of {}]", there, wanted);
}

inline std::string error_text(const measured& m) {
  return mean_text_with_error(m.error) + missing_text(m.error.size(), m.wanted_errors);
}

inline std::string parameters_text(const measured& m) {
  return m.genotypes.empty() ? "not run" : mean_text_with_error(m.parameters());
}

/// All numbers of all seeds.
inline nlohmann::json to_json(const measured& m) {
  const auto list = [](const std::vector<double>& values) {
    nlohmann::json one{{"values", values}, {"n", values.size()}};
    if (!values.empty()) one["mean"] = mean_of(values);
    if (values.size() < 2) return one;
    one["deviation"] = deviation_of(values);
    one["standard_error"] = standard_error_of(values);
    one["interval_95"] = {mean_of(values) - interval_of(values), mean_of(values) + interval_of(values)};
    return one;
  };
  const auto agreement = agreement_of_cells(m.genotypes);
  nlohmann::json json{{"method", m.name},
                      {"kept", m.kept},
                      {"seeds", m.seeds},
                      {"before", list(m.before)},
                      {"after", list(m.after)},
                      {"lost", list(m.lost())},
                      {"error", list(m.error)},
                      {"top5_error", list(m.top5_error)},
                      {"parameters_millions", list(m.parameters())},
                      {"op_entropy", list(m.op_entropy)},
                      {"edge_entropy", list(m.edge_entropy)},
                      {"search_seconds", list(m.seconds)},
                      {"op_counts", op_counts(m.genotypes)},
                      {"genotypes", m.genotypes}};
  if (m.genotypes.size() > 1)
    json["agreement"] = {{"edges", agreement.edges}, {"edges_and_ops", agreement.edges_and_ops}};
  return json;
}

/// Values of an arm, to be compared with those of others.
struct named_values {
  std::string name;
  std::vector<double> values;
};

/// "error: da2s lower than darts, control; no order with random": an order only where the means differ by more than two standard
/// errors. What is not run is not compared.
inline std::string claim_text(const std::string& what, const named_values& own,
                              const std::vector<named_values>& others) {
  std::string text;
  for (const auto& [claim, words] :
       {std::pair{order_claim::lower, "lower than"}, std::pair{order_claim::higher, "higher than"},
        std::pair{order_claim::none, "no order with"}}) {
    std::string names;
    for (const auto& other : others) {
      if (own.values.empty() || other.values.empty() || compare(own.values, other.values) != claim) continue;
      names += (names.empty() ? " " : ", ") + other.name;
    }
    if (!names.empty()) text += (text.empty() ? " " : "; ") + (words + names);
  }
  return fmt::format("{}: {}{}", what, own.name, text.empty() ? " not compared (not run)" : text);
}

/// Mean, deviation, standard error and 95 % interval of everything, what was chosen, and what the seeds agree on.
inline text_table statistics_table(const std::string& title, const std::vector<measured>& all) {
  text_table table;
  table.title = title;
  table.above = {
      "95 % interval: Student's t. Agreement: the mean over pairs of seeds of the shared part of what either "
      "keeps."};
  table.columns = {"method",
                   "kept",
                   "n",
                   "error, %",
                   "95 %",
                   "accuracy lost by the cut",
                   "95 %",
                   "op entropy",
                   "edge entropy",
                   "same edges",
                   "same edges and ops",
                   "ops chosen"};
  const auto interval = [](const std::vector<double>& values) {
    return values.size() < 2 ? std::string("-") : fmt::format("+- {:.2f}", interval_of(values));
  };
  for (const auto& m : all) {
    std::string ops;
    for (const auto& [op, count] : op_counts(m.genotypes))
      ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", op, count);
    const auto agreement = agreement_of_cells(m.genotypes);
    const auto shared = [&](double value) {
      return std::isnan(value) ? std::string("-") : fmt::format("{:.0f} %", 100 * value);
    };
    const bool searched = !m.before.empty();
    table.rows.push_back({m.name, fmt::format("{}/14", m.kept),
                          fmt::format("{}", std::max(m.before.size(), m.error.size())), error_text(m),
                          interval(m.error), searched ? mean_text_with_error(m.lost()) : "-",
                          interval(m.lost()), searched ? mean_text_with_error(m.op_entropy, 3) : "-",
                          m.edge_entropy.empty() ? "-" : mean_text_with_error(m.edge_entropy, 3),
                          shared(agreement.edges), shared(agreement.edges_and_ops), ops.empty() ? "-" : ops});
    table.data["arms"].push_back(to_json(m));
  }
  return table;
}

}  // namespace support
