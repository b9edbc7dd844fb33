// How are the tables laid out? As the paper has them, its number beside the measured one, and what two standard errors allow to be
// said. Nothing here runs anything: a table is made of what is measured, and says "not run" of what is not.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "measured.hpp"
#include "paper_numbers.hpp"
#include "text_table.hpp"

namespace support {

inline const measured* arm_of(const std::vector<measured>& all, const std::string& name, int kept) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const measured& m) { return m.name == name && m.kept == kept; });
  return found == all.end() ? nullptr : &*found;
}

namespace detail {
/// An arm that is not among them is one that nothing is known of.
inline measured arm_or_empty(const std::vector<measured>& all, const std::string& name, int kept) {
  if (const auto* found = arm_of(all, name, kept)) return *found;
  measured empty;
  empty.name = name;
  empty.kept = kept;
  return empty;
}
inline std::string cost_text(const measured& m) {
  if (m.seconds.empty()) return "not run";
  std::string device = m.devices.front();
  for (const auto& other : m.devices) {
    if (other != device) device = "several devices";
  }
  std::vector<double> days;
  for (double seconds : m.seconds) days.push_back(seconds / 86400);
  return fmt::format("{:.2g} days of {}", mean_of(days), device);
}

inline std::string claim_of_errors(const std::string& what, const measured& own,
                                   const std::vector<measured>& all) {
  std::vector<named_values> others;
  for (const auto& m : all) {
    if (m.name != own.name) others.push_back({m.name, m.error});
  }
  return claim_text(what, {own.name, own.error}, others);
}
inline std::string claim_of_losses(const std::string& what, const measured& own,
                                   const std::vector<measured>& all) {
  std::vector<named_values> others;
  for (const auto& m : all) {
    if (m.name != own.name) others.push_back({m.name, m.lost()});
  }
  return claim_text(what, {own.name, own.lost()}, others);
}
}  // namespace detail

/// Table 1: error of the cells of 8 edges, parameters, cost of the search.
inline text_table table_1_page(const std::vector<measured>& all) {
  text_table table;
  table.title = "Table 1: CIFAR-10, cells of 8 of 14 edges";
  table.columns = {"architecture", "test error, %", "params (M)",
                   "search cost",  "search method", "accuracy lost by the cut"};
  for (const auto& row : paper::table_1) {
    const bool own = row.name.starts_with("DA2S");
    table.rows.push_back({std::string(row.name), std::string(row.error), std::string(row.parameters),
                          row.cost == "-" ? "-" : fmt::format("{} GPU-days", row.cost),
                          std::string(row.search),
                          own ? "quoted from the paper (best/average)" : "quoted by the paper"});
  }
  for (const auto& m : all) {
    const bool random = m.name == "random";
    table.rows.push_back({m.name + ", measured", error_text(m), parameters_text(m),
                          random ? "none" : detail::cost_text(m), random ? "random" : "gradient-based",
                          random ? "-" : mean_text_with_error(m.lost())});
  }
  table.below.push_back(detail::claim_of_errors("test error", detail::arm_or_empty(all, "da2s", 8), all));
  return table;
}

/// Table 2: the functions of lambda_c.
inline text_table table_2_page(const std::vector<measured>& all) {
  text_table table;
  table.title = "Table 2: lambda_c (lambda_1 = lambda_2 = 1), 8 of 14 edges";
  table.columns = {""};
  const std::vector<std::string> lines{
      "error, % (paper)",         "error, % (measured)",   "accuracy before -> after the cut",
      "accuracy lost by the cut", "op entropy at the end", "edge entropy at the end"};
  for (const auto& line : lines) table.rows.push_back({line});
  for (const auto& [function, error] : paper::table_2) {
    const auto m = detail::arm_or_empty(all, std::string(function), 8);
    table.columns.emplace_back(function);
    const std::vector<std::string> cells{std::string(error),
                                         error_text(m),
                                         gap_text(m),
                                         m.before.empty() ? "not run" : mean_text_with_error(m.lost()),
                                         mean_text_with_error(m.op_entropy, 3),
                                         m.edge_entropy.empty() && !m.before.empty()
                                             ? "no edge weights"
                                             : mean_text_with_error(m.edge_entropy, 3)};
    for (std::size_t i = 0; i < cells.size(); ++i) table.rows[i].push_back(cells[i]);
  }
  table.above.emplace_back(
      "baseline: DARTS (the paper's with all channels and second order, the measured one with K as the "
      "others)");
  const auto linear = detail::arm_or_empty(all, "linear", 8);
  table.below.push_back(detail::claim_of_errors("error", linear, all));
  table.below.push_back(detail::claim_of_losses("accuracy lost", linear, all));
  return table;
}

/// Table 3: which is discretized first. Arms are named "lambda_2 exp" (lambda_1 = 1) and "lambda_1 exp" (lambda_2 = 1).
inline text_table table_3_page(const std::vector<measured>& all) {
  text_table table;
  table.title =
      "Table 3: lambda_1 against lambda_2, 8 of 14 edges, lambda_c linear; the function begins at 8/50 of "
      "the epochs";
  table.columns = {"function",
                   "fixed",
                   "error, % (paper, average)",
                   "error, % (measured)",
                   "accuracy before -> after the cut",
                   "accuracy lost by the cut",
                   "op entropy",
                   "edge entropy"};
  for (const std::string half : {"lambda_2", "lambda_1"}) {
    for (const auto& row : paper::table_3) {
      const auto m = detail::arm_or_empty(all, half + " " + std::string(row.function), 8);
      table.rows.push_back(
          {fmt::format("{} {}", half, row.function), half == "lambda_2" ? "lambda_1 = 1" : "lambda_2 = 1",
           std::string(half == "lambda_2" ? row.edges_delayed : row.ops_delayed), error_text(m), gap_text(m),
           m.before.empty() ? "not run" : mean_text_with_error(m.lost()),
           mean_text_with_error(m.op_entropy, 3), mean_text_with_error(m.edge_entropy, 3)});
    }
  }
  for (const auto& row : paper::table_3) {
    const std::string name(row.function);
    const std::vector<measured> other{detail::arm_or_empty(all, "lambda_2 " + name, 8)};
    table.below.push_back(
        detail::claim_of_errors("error", detail::arm_or_empty(all, "lambda_1 " + name, 8), other));
  }
  return table;
}

/// Table 4: imbalanced budgets.
inline text_table table_4_page(const std::vector<measured>& all) {
  text_table table;
  table.title = "Table 4: imbalanced budgets on CIFAR-10";
  table.columns = {"config",
                   "method",
                   "error, %",
                   "error (paper)",
                   "para (M)",
                   "para (paper)",
                   "acc. before -> after the cut",
                   "acc. drop (paper)",
                   "acc. lost"};
  for (int kept : {3, 4, 5, 6, 8}) {
    const auto row = std::find_if(paper::table_4.begin(), paper::table_4.end(),
                                  [&](const auto& r) { return r.kept == kept; });
    for (const std::string name : {"darts", "control", "da2s", "random"}) {
      const auto m = detail::arm_or_empty(all, name, kept);
      paper::imbalanced_half quoted{"-", "-", "-"};
      if (row != paper::table_4.end() && name == "darts") quoted = row->darts;
      if (row != paper::table_4.end() && name == "da2s") quoted = row->da2s;
      const bool random = name == "random";
      table.rows.push_back({fmt::format("{}/14", kept), name, error_text(m), std::string(quoted.error),
                            parameters_text(m), std::string(quoted.parameters), random ? "-" : gap_text(m),
                            std::string(quoted.drop),
                            random             ? "-"
                            : m.before.empty() ? "not run"
                                               : mean_text_with_error(m.lost())});
    }
  }
  for (int kept : {3, 4, 5, 6, 8}) {
    const auto own = detail::arm_or_empty(all, "da2s", kept);
    const auto budget = fmt::format("{}/14, ", kept);
    std::vector<measured> others;
    for (const std::string name : {"darts", "control", "random"})
      others.push_back(detail::arm_or_empty(all, name, kept));
    table.below.push_back(detail::claim_of_errors(budget + "error", own, others));
    others.pop_back();
    table.below.push_back(detail::claim_of_losses(budget + "accuracy lost", own, others));
    std::vector<named_values> before;
    before.reserve(others.size());
    for (const auto& other : others) before.push_back({other.name, other.before});
    table.below.push_back(claim_text(budget + "accuracy before the cut", {own.name, own.before}, before));
  }
  return table;
}

/// Table 5: transfer to ImageNet. Sizes are counted.
inline text_table table_5_page(const std::vector<measured>& all) {
  text_table table;
  table.title = "Table 5: ImageNet, mobile setting, cells of 8 of 14 edges found on CIFAR-10";
  table.columns = {"architecture",      "top-1 error, %", "top-5 error, %", "params (M)",
                   "multiply-adds (M)", "search cost",    "search method"};
  for (const auto& row : paper::table_5) {
    const bool own = row.name.starts_with("DA2S");
    table.rows.push_back({fmt::format("{} ({})", row.name, own ? "the paper's" : "quoted by the paper"),
                          std::string(row.top_1), std::string(row.top_5), std::string(row.parameters),
                          std::string(row.multiply_adds),
                          row.cost == "-" ? "-" : fmt::format("{} GPU-days", row.cost),
                          std::string(row.search)});
  }
  for (const auto& m : all) {
    std::vector<double> parameters, multiply_adds;
    for (const auto& text : m.genotypes) {
      const auto count = crispnas::count_imagenet_network(crispnas::parse_genotype(text));
      parameters.push_back(double(count.parameters()) / 1e6);
      multiply_adds.push_back(double(count.multiply_adds()) / 1e6);
    }
    table.rows.push_back({m.name + ", measured", error_text(m), mean_text_with_error(m.top5_error),
                          mean_text_with_error(parameters), mean_text_with_error(multiply_adds, 0),
                          m.name == "random" ? "none" : detail::cost_text(m),
                          m.name == "random" ? "random" : "gradient-based"});
  }
  table.above.emplace_back(
      "params and multiply-adds: of the paper's network (C = 48, 14 cells, 1,000 classes, 224 x 224)");
  table.below.push_back(detail::claim_of_errors("top-1 error", detail::arm_or_empty(all, "da2s", 8), all));
  return table;
}

/// The curve beyond the paper: arms are named by the factor on the regularizer.
inline text_table lambda_page(const std::vector<measured>& all) {
  text_table table;
  table.title = "Accuracy and gap over the strength of the regularizer, 8 of 14 edges";
  table.columns = {
      "factor",      "accuracy before -> after the cut", "accuracy lost by the cut", "error, %", "op entropy",
      "edge entropy"};
  for (const auto& m : all) {
    table.rows.push_back({m.name, gap_text(m), m.before.empty() ? "not run" : mean_text_with_error(m.lost()),
                          error_text(m), mean_text_with_error(m.op_entropy, 3),
                          mean_text_with_error(m.edge_entropy, 3)});
  }
  if (!all.empty()) {
    table.below.push_back(detail::claim_of_losses("accuracy lost", all.front(), all));
    table.below.push_back(detail::claim_of_errors("error", all.front(), all));
  }
  return table;
}

}  // namespace support
