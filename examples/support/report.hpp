// What does a search look like? One page: what it found, accuracy before and after the cut, losses, entropies, and the weights of all
// ops and edges over the epochs. Pages of several searches take the parts (search_sections).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/text.hpp>
#include <string>
#include <utility>
#include <vector>

#include "history.hpp"
#include "page.hpp"

namespace support {

struct search_report {
  std::string title;
  std::string scale;    ///< stands beside every number
  std::string command;  ///< that does it again
  std::vector<std::pair<std::string, std::string>> configuration;
  std::vector<std::pair<std::string, double>>
      accuracies;  ///< in percent: before the cut, after it, of parts of it
  double seconds = 0.0;
  search_history history;
  cn::genotype found;
};

namespace detail {

/// As in the drawn cells: c_{k-2}, c_{k-1}, 0, 1, ...
inline std::string state_markup(int inputs, int state) {
  if (state >= inputs) return std::to_string(state - inputs);
  return "c<sub>k-" + std::to_string(inputs - state) + "</sub>";
}
inline std::string state_words(int inputs, int state) {
  return state >= inputs ? "node " + std::to_string(state - inputs)
                         : "input c(k-" + std::to_string(inputs - state) + ")";
}

/// The same colour for an op in every search; ops that are not the paper's take what is left.
inline std::vector<std::string> op_colors(const std::vector<std::string>& ops) {
  constexpr std::array<std::string_view, 8> known{"max_pool_3x3", "avg_pool_3x3", "skip_connect",
                                                  "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3",
                                                  "dil_conv_5x5", "none"};
  std::vector<std::size_t> color(ops.size(), known.size());
  std::array<bool, known.size()> taken{};
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (std::size_t k = 0; k < known.size(); ++k) {
      if (ops[i] == known[k]) color[i] = k, taken[k] = true;
    }
  }
  std::size_t next = 3;  // the convolutions' colours first
  std::vector<std::string> colors;
  for (std::size_t& c : color) {
    for (std::size_t tries = 0; c == known.size() && tries < known.size(); ++tries, ++next) {
      if (!taken[next % known.size()]) c = next % known.size();
    }
    if (c == known.size()) c = next++ % known.size();
    taken[c] = true;
    colors.push_back("var(--op" + std::to_string(c) + ")");
  }
  return colors;
}

inline series state_line(const cell_history& cell, int from) {
  constexpr std::array<std::string_view, 6> colors{"blue", "red", "green", "pink", "gold", "grey"};
  constexpr std::array<std::string_view, 4> dashes{"", "6 3", "2 3", "8 3 2 3"};
  const auto i = static_cast<std::size_t>(from);
  return {.name = state_words(cell.inputs, from),
          .color = fmt::format("var(--{})", colors[i % colors.size()]),
          .values = {},
          .dash = std::string(dashes[i % dashes.size()])};
}

inline std::string swatch(const std::string& color, const std::string& name) {
  return fmt::format(
      "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path d=\"M0 0H22V10H0z\" "
      "style=\"fill:{}\"/></svg>{}</li>",
      color, markup(name));
}

template <class Value>
std::vector<double> over_epochs(const search_history& history, Value&& value) {
  std::vector<double> values;
  for (const auto& e : history.epochs) values.push_back(value(e));
  return values;
}

}  // namespace detail

/// Accuracy, gap, losses, regularizer and entropies over the epochs.
inline std::string progress_charts(const search_history& h) {
  using e = epoch_history;
  const auto over = [&](auto value) { return detail::over_epochs(h, value); };
  std::string html = "<div class=\"charts\">\n";
  const auto add = [&](const std::string& title, std::vector<series> lines, double high = 0.0,
                       bool shaded = false) {
    // What was not measured, such as accuracies of single epochs, or has no beta to show, is no line.
    const auto all = lines.size();
    std::erase_if(lines, [](const series& s) {
      return std::none_of(s.values.begin(), s.values.end(), [](double v) { return std::isfinite(v); });
    });
    if (lines.empty()) return;
    shaded = shaded && lines.size() == all;
    html += chart_figure(title, axis_of(lines, 0.0, high), lines, shaded);
  };
  add("Accuracy, %",
      {{"held out, before the cut", "var(--blue)", over([](const e& x) { return x.before; })},
       {"held out, after the cut", "var(--red)", over([](const e& x) { return x.after; }), "6 3"},
       {"while training", "var(--grey)", over([](const e& x) { return x.train_accuracy; }), "2 3", 1.5}},
      0.0, true);
  add("Lost by the cut, points of accuracy",
      {{"before - after", "var(--red)", over([](const e& x) { return x.before - x.after; })}}, 1.0);
  add("Classification loss",
      {{"half that trains the weights", "var(--blue)", over([](const e& x) { return x.train_loss; })},
       {"half that trains alpha and beta", "var(--red)", over([](const e& x) { return x.arch_loss; }),
        "6 3"}});
  constexpr std::array<const char*, 4> colors{"blue", "red", "green", "pink"};
  constexpr std::array<const char*, 4> dashes{"", "6 3", "2 3", "8 3 2 3"};
  std::vector<series> terms, weighted;
  for (std::size_t t = 0; !h.epochs.empty() && t < h.epochs.front().terms.size(); ++t) {
    const series line{
        h.epochs.front().terms[t].name, fmt::format("var(--{})", colors[t % 4]), {}, dashes[t % 4]};
    terms.push_back(line);
    weighted.push_back(line);
    for (const auto& epoch : h.epochs) {
      terms.back().values.push_back(epoch.terms.at(t).value);
      weighted.back().values.push_back(epoch.terms.at(t).value * epoch.terms.at(t).factor);
    }
  }
  if (!terms.empty()) {
    add("Terms of the regularizer", terms);
    add("The same times their factors, as the loss has them", weighted);
  }
  std::vector<series> entropies;
  for (const auto& cell : h.cells) {
    const bool first = &cell == &h.cells.front();
    entropies.push_back({"ops, " + cell.name, first ? "var(--blue)" : "var(--green)", op_entropies(cell)});
    if (auto edges = edge_entropies(cell); !edges.empty())
      entropies.push_back({"edges, " + cell.name, first ? "var(--red)" : "var(--pink)", edges, "6 3"});
  }
  add("Mean entropy, share of the largest: 1 undecided, 0 crisp", entropies, 1.0);
  return html + "</div>\n";
}

/// Edge weights of a cell, one small chart for each node; empty where they have none but 1.
inline std::string edge_weight_charts(const cell_history& cell, const cn::cell_genotype& found) {
  bool all_one = true;  // as where every edge is kept
  for (const auto& epoch : cell.edge_weights) {
    for (const double w : epoch) all_one = all_one && std::abs(w - 1.0) < 1e-6;
  }
  if (all_one) return {};
  double high = 1.0;
  for (const auto& epoch : cell.edge_weights) {
    for (const double w : epoch) high = std::max(high, w);
  }
  std::string html = "<div class=\"small\">\n";
  for (int node = cell.inputs; node < cell.inputs + cell.nodes; ++node) {
    std::vector<series> lines;
    std::string kept;
    for (std::size_t i = 0; i < cell.edges.size(); ++i) {
      if (cell.edges[i].to != node) continue;
      series line = detail::state_line(cell, cell.edges[i].from);
      if (!kept_ops(found, cell.edges[i]).empty()) {
        line.width = 3.0;
        kept += (kept.empty() ? "" : ", ") + detail::state_markup(cell.inputs, cell.edges[i].from);
      }
      for (const auto& epoch : cell.edge_weights) line.values.push_back(epoch[i]);
      lines.push_back(std::move(line));
    }
    const std::string title = "Edge weights into " + detail::state_words(cell.inputs, node);
    html += fmt::format(
        "<figure><figcaption><b>into {}</b>{}</figcaption>{}{}</figure>\n",
        detail::state_words(cell.inputs, node),
        kept.empty() ? std::string("nothing kept") : "<span class=\"mark\">kept from: " + kept + "</span>",
        lines.empty() ? std::string() : html_legend(lines), small_line_plot(title, {0.0, high, high}, lines));
  }
  return html + "</div>\n";
}

/// Op weights of a cell, one small chart for each edge, in rows of the edges into a node.
inline std::string op_weight_charts(const cell_history& cell, const std::vector<std::string>& ops,
                                    const cn::cell_genotype& found) {
  const auto colors = detail::op_colors(ops);
  std::string html = "<ul class=\"legend\">";
  for (std::size_t o = 0; o < ops.size(); ++o) html += detail::swatch(colors[o], ops[o]);
  html += "</ul>\n";
  for (int node = cell.inputs; node < cell.inputs + cell.nodes; ++node) {
    html += "<div class=\"small\">\n";
    for (std::size_t i = 0; i < cell.edges.size(); ++i) {
      if (cell.edges[i].to != node) continue;
      std::vector<series> parts;
      for (std::size_t o = 0; o < ops.size(); ++o) {
        parts.push_back({ops[o], colors[o], {}});
        for (const auto& epoch : cell.op_weights) parts.back().values.push_back(epoch[i][o]);
      }
      const auto strongest = std::max_element(
          parts.begin(), parts.end(),
          [](const series& a, const series& b) { return a.values.back() < b.values.back(); });
      const auto kept = kept_ops(found, cell.edges[i]);
      std::string words =
          fmt::format("strongest: {} {:.2f}", markup(strongest->name), strongest->values.back());
      if (!kept.empty()) {
        words = "<span class=\"mark\">kept:";
        for (const auto op : kept) {
          words += " " + markup(op);
          for (const auto& part : parts) {
            if (part.name == op) words += fmt::format(" {:.2f}", part.values.back());
          }
        }
        words += "</span>";
      }
      const int from = cell.edges[i].from;
      html += fmt::format("<figure class=\"{}\"><figcaption><b>{} &#8594; {}</b>{}</figcaption>{}</figure>\n",
                          kept.empty() ? "cut" : "kept", detail::state_markup(cell.inputs, from),
                          detail::state_markup(cell.inputs, node), words,
                          share_plot("Op weights from " + detail::state_words(cell.inputs, from) + " to " +
                                         detail::state_words(cell.inputs, node),
                                     parts));
    }
    html += "</div>\n";
  }
  return html;
}

/// What stands at the top: the numbers that matter.
inline std::string headline_tiles(const search_report& r) {
  std::string html = "<div class=\"tiles\">";
  const auto tile = [&](const std::string& value, const std::string& words) {
    html += "<div class=\"tile\"><b>" + markup(value) + "</b><span>" + markup(words) + "</span></div>\n";
  };
  if (r.accuracies.size() >= 2) {
    tile(fmt::format("{:.1f} %", r.accuracies[0].second), "held-out accuracy before the cut");
    tile(fmt::format("{:.1f} %", r.accuracies[1].second), "after the cut");
    tile(fmt::format("{:.1f}", r.accuracies[0].second - r.accuracies[1].second), "points lost by the cut");
  }
  const int kept = r.found.normal.kept_edges();
  tile(r.found.has_reduction ? fmt::format("{} + {}", kept, r.found.reduction.kept_edges())
                             : fmt::format("{}", kept),
       r.found.has_reduction ? "edges kept, normal + reduction cell" : "edges kept");
  tile(r.seconds < 10    ? fmt::format("{:.1f} s", r.seconds)
       : r.seconds < 120 ? fmt::format("{:.0f} s", r.seconds)
                         : fmt::format("{:.0f} min", r.seconds / 60),
       "of search");
  return html + "</div>\n";
}

/// The cells as drawn in the paper's figure 6, and their text.
inline std::string cell_pictures(const cn::genotype& found) {
  std::string html =
      html_wide("normal cell", cn::to_svg(found.normal, found.has_reduction ? "normal cell" : "cell"));
  if (found.has_reduction) html += html_wide("reduction cell", cn::to_svg(found.reduction, "reduction cell"));
  std::string numbers;
  for (int state = 0; state <= found.normal.inputs; ++state)
    numbers += fmt::format("{}{} is {}", state == 0 ? "" : ", ",
                           detail::state_words(found.normal.inputs, state), state);
  return html +
         html_paragraph("In text, and in weights.csv, states are counted from the inputs: " + numbers +
                        ", and so on.") +
         html_code(cn::to_text(found));
}

/// Numbers behind the charts of progress.
inline std::string epoch_table(const search_history& h) {
  std::vector<std::string> columns{"epoch",     "weight rate",    "train loss",   "train accuracy",
                                   "arch loss", "before the cut", "after the cut"};
  if (!h.epochs.empty()) {
    for (const auto& t : h.epochs.front().terms) columns.insert(columns.end(), {t.name, t.name + " factor"});
  }
  columns.emplace_back("seconds");
  std::vector<std::vector<std::string>> rows;
  for (const auto& e : h.epochs) {
    std::vector<std::string> row{fmt::format("{}", e.epoch), fmt::format("{:.4g}", e.weight_rate)};
    for (const double v : {e.train_loss, e.train_accuracy, e.arch_loss, e.before, e.after})
      row.push_back(std::isfinite(v) ? fmt::format("{:.4g}", v) : "-");
    for (const auto& t : e.terms)
      row.insert(row.end(), {fmt::format("{:.4g}", t.value), fmt::format("{:.4g}", t.factor)});
    row.push_back(fmt::format("{:.1f}", e.seconds));
    rows.push_back(std::move(row));
  }
  return html_table("All epochs", columns, rows);
}

/// Everything about one search but the page's frame.
inline std::string search_sections(const search_report& r) {
  const auto section = [](const std::string& heading, const std::string& html) {
    return "<section>\n<h2>" + markup(heading) + "</h2>\n" + html + "</section>\n";
  };
  std::string html = headline_tiles(r);
  html += section("The cells", cell_pictures(r.found));
  if (!r.history.epochs.empty())
    html += section("Progress", html_paragraph("Over the epochs.") + progress_charts(r.history));
  for (const auto& cell : r.history.cells) {
    if (r.history.epochs.empty()) break;
    const auto& found = cell.name == "reduction" ? r.found.reduction : r.found.normal;
    const std::string name = r.history.cells.size() > 1 ? ", " + cell.name + " cell" : "";
    if (const auto edges = edge_weight_charts(cell, found); !edges.empty()) {
      html += section(
          "Edge weights" + name,
          html_paragraph("After the softmax of beta, over the epochs. Thick lines are kept.") + edges);
    }
    html += section("Op weights" + name,
                    html_paragraph("After the softmax of alpha, over the epochs: the height of a "
                                   "colour is the weight of its op. One chart for each edge; "
                                   "framed ones are kept.") +
                        op_weight_charts(cell, r.history.ops, found));
  }
  std::vector<std::pair<std::string, std::string>> cuts;
  for (const auto& [what, percent] : r.accuracies) cuts.emplace_back(what, fmt::format("{:.2f} %", percent));
  html += section(
      "The cut",
      html_paragraph("Held-out accuracy: kept ops and edges at weight 1, batch-norm statistics as they are, "
                     "unless said.") +
          html_facts(cuts));
  html += section("Configuration", html_paragraph(r.scale) + html_facts(r.configuration));
  html += section("The command that does it again", html_code(r.command));
  return html + html_folded("All epochs in numbers", epoch_table(r.history));
}

inline std::string search_page(const search_report& r) {
  return page(r.title, r.scale).add(search_sections(r)).text();
}

/// One page of tables, anything with `title`, `above`, `columns`, `rows` and `below` (lines of words), of pictures, pairs of
/// words and an SVG, and of the searches behind them, shown on demand. `about` says the scale, `command` does it again.
template <class Tables>
std::string tables_page(const std::string& title, const std::string& about, const Tables& tables,
                        const std::vector<std::pair<std::string, std::string>>& pictures,
                        const std::vector<search_report>& searches,
                        const std::vector<std::pair<std::string, std::string>>& configuration,
                        const std::string& command) {
  page all(title, about);
  for (const auto& t : tables) {
    std::string html;
    for (const auto& line : t.above) html += html_paragraph(line);
    html += html_table(t.title, t.columns, t.rows);
    for (const auto& line : t.below) html += html_paragraph(line);
    all.section(t.title, html);
  }
  for (const auto& [words, svg] : pictures) all.section(words, html_picture(words, svg));
  if (!searches.empty()) all.add("<section>\n<h2>The searches</h2>\n");
  for (const auto& search : searches) all.add(html_folded(search.title, search_sections(search)));
  if (!searches.empty()) all.add("</section>\n");
  if (!configuration.empty()) all.section("Configuration", html_facts(configuration));
  return all.section("The command that does it again", html_code(command)).text();
}

}  // namespace support
