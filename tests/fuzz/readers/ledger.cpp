// A line of a ledger, and what tables and figures read of it. Chance rarely finds its sum: what is a line up to that is given one, and is
// to come back.
#include "support/ledger.hpp"

#include <crispnas/genotype/text.hpp>
#include <crispnas/spec/spec.hpp>

#include "../fuzz.hpp"
#include "support/figures.hpp"
#include "support/ledger_search.hpp"

namespace {

/// What was accepted is shown without a refusal, but that of a cell that no network can be counted of.
void show(const nlohmann::json& line) {
  const auto& result = line.at("result");
  if (line.at("configuration").at("kind") != "search") {
    fuzz::hold(result.at("error").get<double>() <= 100, "an error is a percentage");
    return;
  }
  const auto history = support::history_of(crispnas::table_v<crispnas::authors_code_spec>, result);
  for (const auto& cell : history.cells) {
    fuzz::hold(cell.op_weights.size() == history.epochs.size(), "every epoch has its weights");
    fuzz::hold(cell.edge_weights.empty() || cell.edge_weights.size() == history.epochs.size(),
               "edges have weights in all epochs or in none");
    support::op_entropies(cell);
    support::edge_entropies(cell);
  }
  support::figure_3(result, "a");
  support::figure_4(result, "a");
  support::weights_csv(result);
  support::measured all;
  for (const int kept : {3, 8}) {
    const auto* cut = support::cut_of(result, kept);
    const std::string cell = support::genotype_text(cut);
    if (cut != nullptr) all.before.push_back(cut->at("gap").at("before").get<double>());
    if (cut != nullptr) all.after.push_back(cut->at("gap").at("after").get<double>());
    if (!cell.empty()) all.genotypes.push_back(cell);
    support::figure_1({{"a", &result, cut, &all}}, "a");
  }
  fuzz::accepted([&] { all.parameters(); });
}

void read(std::string_view bytes) {
  fuzz::accepted([&] { support::parse_ledger_line(bytes); });
  nlohmann::json line;
  const bool within =
      fuzz::accepted([&] { line = support::parse_bounded_json(bytes, "a", support::ledger_line_limits); });
  if (!within || !line.is_object()) return;
  line["sum"] = support::ledger_sum(line);
  const bool taken = fuzz::accepted(
      [&] { fuzz::hold(support::parse_ledger_line(line.dump()) == line, "a line comes back"); });
  if (taken) show(line);
}

const fuzz::registered self("ledger", read);

}  // namespace
