// Which experiments does a table need? Arms: one method at one budget each, as a row or a column; what they ask of the grid, and what
// the ledger has of them.
#pragma once

#include <fmt/format.h>

#include <crispnas/genotype/text.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grid.hpp"
#include "ledger_search.hpp"
#include "measured.hpp"
#include "schedules.hpp"

namespace support {

/// One method at one budget, as a row or a column of a table.
struct arm {
  std::string name;
  int kept = 8;
  search_request request{};
  bool retrained = true;
  bool random = false;  ///< random cells of the budget instead of a search
};

inline const std::vector<int> budgets{3, 4, 5, 6, 8};
inline const std::vector<double> lambdas{0, 0.03, 0.1, 0.3, 1, 3};

/// Searched once for 8 of 14 and cut to every budget; its line of the ledger serves all tables.
inline arm cut_to_all(const std::string& method, int kept) {
  return {method, kept, {.method = method, .kept = 8, .cuts = budgets}};
}
inline arm da2s_for(int kept) { return {"da2s", kept, {.kept = kept, .cuts = {kept}}}; }
inline arm random_for(int kept) { return {"random", kept, {}, true, true}; }

inline std::vector<arm> arms_of_table(int table) {
  std::vector<arm> arms;
  if (table == 1) {
    arms = {da2s_for(8), cut_to_all("control", 8), cut_to_all("darts", 8)};
    arms.push_back({"darts, 2nd order", 8, {.method = "darts", .order = "second"}});
    arms.push_back({"darts, single level", 8, {.method = "darts", .order = "single"}});
    arms.push_back({"pc_darts", 8, {.method = "pc_darts"}});
    arms.push_back({"fair_darts", 8, {.method = "fair_darts"}});
    arms.push_back({"da2s, authors' code (K = 1)", 8, {.method = "authors_code"}});
    arms.push_back(random_for(8));
  } else if (table == 2) {
    arm baseline = cut_to_all("darts", 8);
    baseline.name = "baseline";
    arms.push_back(baseline);
    for (const auto& name : schedule_names)
      arms.push_back({name, 8, {.c = name, .op = "const", .edge = "const"}});
  } else if (table == 3) {
    for (const auto& name : schedule_names)
      arms.push_back({"lambda_2 " + name, 8, {.op = "const", .edge = "delayed " + name}});
    for (const auto& name : schedule_names)
      arms.push_back({"lambda_1 " + name, 8, {.op = "delayed " + name, .edge = "const"}});
  } else if (table == 4) {
    for (int kept : budgets) {
      arms.push_back(cut_to_all("darts", kept));
      arms.push_back(cut_to_all("control", kept));
      arms.push_back(da2s_for(kept));
      arms.push_back(random_for(kept));
    }
  } else {
    arms = {da2s_for(8), cut_to_all("darts", 8), random_for(8)};
  }
  return arms;
}

inline std::vector<arm> arms_of_figure(int figure) {
  if (figure == 5) return {};
  if (figure == 1) return {cut_to_all("control", 8), cut_to_all("control", 6), da2s_for(8), da2s_for(6)};
  arm one = da2s_for(8);
  one.retrained = false;
  return {one};
}

/// Beyond the paper: from no regularizer to three times that of equation 7.
inline std::vector<arm> arms_of_lambda_curve() {
  std::vector<arm> arms;
  for (const double lambda : lambdas) {
    arm a = lambda == 0 ? cut_to_all("control", 8) : da2s_for(8);
    a.name = fmt::format("{:g}", lambda);
    a.request.factor = lambda == 0 ? 1.0 : lambda;
    arms.push_back(a);
  }
  return arms;
}

/// first, first + 1, ...
struct seed_range {
  std::uint64_t first;
  std::uint64_t count;
};

/// The seed of a training from scratch is not that of the search: a found cell gets no second run of the weights that it was chosen on.
inline std::uint64_t training_seed(std::uint64_t seed) { return 500 + seed; }

/// The `number`-th random cell of a budget for a seed, as text.
inline std::string random_genotype(int kept, std::uint64_t seed, int number, int partial) {
  const auto cell = static_cast<std::uint64_t>(100000 * kept + 1000 * number) + seed;
  return cn::to_text(grid::random_cell(kept, cell, partial));
}

inline void plan_searches(grid& runs, const setting& s, const std::vector<arm>& arms, seed_range seeds) {
  for (std::uint64_t i = 0; i < seeds.count; ++i) {
    for (const auto& a : arms) {
      if (!a.random) runs.plan(s, a.request, seeds.first + i);
    }
  }
}

/// The genotypes of an arm for a seed; none where its search is not done, or left a cell without ops.
inline std::vector<std::string> genotypes_of(const grid& runs, const setting& s, const arm& a,
                                             std::uint64_t seed) {
  std::vector<std::string> found;
  if (a.random) {
    for (int n = 0; n < s.sizes.random_cells; ++n)
      found.push_back(random_genotype(a.kept, seed, n, s.search.partial));
  } else if (const auto* search = runs.search(s, a.request, seed)) {
    const auto text = genotype_text(cut_of(*search, a.kept));
    if (!text.empty()) found.push_back(text);
  }
  return found;
}

inline void plan_retrainings(grid& runs, const setting& s, const std::vector<arm>& arms, seed_range seeds) {
  for (std::uint64_t i = 0; i < seeds.count; ++i) {
    for (const auto& a : arms) {
      if (!a.retrained) continue;
      for (const auto& genotype : genotypes_of(runs, s, a, seeds.first + i))
        runs.plan(s, genotype, training_seed(seeds.first + i));
    }
  }
}

/// What the ledger has of an arm.
inline measured measure(const grid& runs, const setting& s, const arm& a, seed_range seeds) {
  measured m;
  m.name = a.name;
  m.kept = a.kept;
  m.wanted = a.random ? 0 : seeds.count;
  m.wanted_errors =
      a.retrained ? seeds.count * (a.random ? static_cast<std::size_t>(s.sizes.random_cells) : 1) : 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    for (const auto& genotype : genotypes_of(runs, s, a, seed)) {
      m.genotypes.push_back(genotype);
      const auto* trained = a.retrained ? runs.retraining(s, genotype, training_seed(seed)) : nullptr;
      if (trained != nullptr) {
        m.error.push_back(trained->at("error").get<double>());
        if (trained->contains("top5_error")) m.top5_error.push_back(trained->at("top5_error").get<double>());
      }
    }
    const auto* line = a.random ? nullptr : runs.search_line(s, a.request, seed);
    const auto* search = line == nullptr ? nullptr : &line->at("result");
    const auto* cut = search == nullptr ? nullptr : cut_of(*search, a.kept);
    if (cut == nullptr) continue;
    m.seeds.push_back(seed);
    m.before.push_back(cut->at("gap").at("before").get<double>());
    m.after.push_back(cut->at("gap").at("after").get<double>());
    m.op_entropy.push_back(search->at("op_entropy").get<double>());
    if (const auto& entropy = search->at("edge_entropy"); !entropy.is_null())
      m.edge_entropy.push_back(entropy.get<double>());
    m.seconds.push_back(search->at("search_seconds").get<double>());
    m.devices.push_back(line->value("device", std::string()));
  }
  return m;
}

}  // namespace support
