// What do tables and figures read of a search in the ledger? A cut of it, its epochs. Both take results of the shape that
// ledger_lines.hpp checks.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/spec/table.hpp>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "history.hpp"

namespace support {

/// The cut to a budget in the result of a search; null where it was not cut to that.
inline const nlohmann::json* cut_of(const nlohmann::json& search, int kept) {
  for (const auto& cut : search.at("cuts")) {
    if (cut.at("kept") == kept) return &cut;
  }
  return nullptr;
}

/// The genotype of a cut; "" where there is none: it was not cut to that, or left a cell without ops.
inline std::string genotype_text(const nlohmann::json* cut) {
  return cut == nullptr ? std::string() : cut->at("genotype").get<std::string>();
}

/// The epochs as the report draws them. A ledger has no accuracies of single epochs, whose chart is then left out.
/// Throws crispnas::error where the search was in another space.
inline search_history history_of(const cn::space_table& space, const nlohmann::json& search) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  const auto number = [](const nlohmann::json& value) {
    return value.is_null() ? none : value.get<double>();
  };
  search_history history = empty_history(space);
  for (const auto& epoch : search.at("epochs")) {
    epoch_history one;
    one.epoch = epoch.at("epoch").get<int>();
    one.weight_rate = number(epoch.value("weight_rate", nlohmann::json()));
    one.train_loss = number(epoch.at("train_loss"));
    one.train_accuracy = number(epoch.at("train_accuracy"));
    one.arch_loss = number(epoch.at("arch_loss"));
    one.before = one.after = none;
    one.seconds = number(epoch.at("seconds"));
    const auto terms = epoch.value("terms", nlohmann::json::object());
    for (const auto& [name, term] : terms.items())
      one.terms.push_back({name, number(term.at(0)), number(term.at(1))});
    history.epochs.push_back(std::move(one));
    for (std::size_t type = 0; type < history.cells.size(); ++type) {
      auto& cell = history.cells[type];
      const cn::cell_table& table = space.cell(static_cast<int>(type));
      const auto ops = epoch.at("ops").at(type).get<std::vector<double>>();
      const auto& edges = epoch.at("edges").at(type);
      const std::size_t count = history.ops.size();
      if (ops.size() != table.edges.size() * count ||
          (!edges.is_null() && edges.size() != table.edges.size()))
        throw cn::error("this search was in a space of other edges or ops: it has " +
                        std::to_string(ops.size()) + " weights of ops.");
      cell.op_weights.emplace_back();
      if (!edges.is_null()) cell.edge_weights.emplace_back();
      for (std::size_t e = 0; e < table.edges.size(); ++e) {
        if (!table.has(e)) continue;
        const auto own = std::span(ops).subspan(e * count, count);
        cell.op_weights.back().emplace_back(own.begin(), own.end());
        if (!edges.is_null()) cell.edge_weights.back().push_back(edges.at(e).get<double>());
      }
    }
  }
  return history;
}

}  // namespace support
