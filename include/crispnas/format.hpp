// fmt formatters, opt-in: nothing else of the library includes fmt. Link fmt::fmt-header-only.
#pragma once

#include <fmt/format.h>

#include <crispnas/discretize/gap.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/search/searcher.hpp>
#include <string>

/// A genotype as text: DARTS's where it fits, the explicit edge list otherwise.
template <>
struct fmt::formatter<crispnas::genotype> : fmt::formatter<std::string> {
  auto format(const crispnas::genotype& found, format_context& context) const {
    return fmt::formatter<std::string>::format(crispnas::to_text(found), context);
  }
};

/// One line per epoch.
template <>
struct fmt::formatter<crispnas::epoch_report> : fmt::formatter<std::string> {
  auto format(const crispnas::epoch_report& e, format_context& context) const {
    std::string line = fmt::format("epoch {:>2}/{}  loss {:.3f}  arch loss {:.3f}  accuracy {:.1f} %",
                                   e.epoch, e.epochs, e.train_loss, e.arch_loss, e.train_accuracy);
    for (const auto& term : e.terms)
      line += fmt::format("  {} {:.3f} (x {:.3f})", term.name, term.value, term.factor);
    line += fmt::format("  {:.1f} s", e.seconds);
    return fmt::formatter<std::string>::format(line, context);
  }
};

/// The headline, then the other conventions.
template <>
struct fmt::formatter<crispnas::discretization_gap_report> : fmt::formatter<std::string> {
  auto format(const crispnas::discretization_gap_report& gap, format_context& context) const {
    std::string line = fmt::format(
        "{:.2f} % -> {:.2f} % (ops cut {:.2f}, edges cut {:.2f}, kept edges at soft weight {:.2f}",
        gap.before, gap.after, gap.ops_cut, gap.edges_cut, gap.after_soft_edges);
    if (gap.after_reestimated)
      line += fmt::format(", batch norm re-estimated {:.2f}", *gap.after_reestimated);
    return fmt::formatter<std::string>::format(line + ")", context);
  }
};
