// The paper's figures 1, 3, 4 and 5, drawn from what the ledger has of a search (see grid.hpp for its form); figure 6 is
// crispnas::to_svg. And, beyond the paper, accuracy and gap over the strength of the regularizer.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <crispnas/genotype/text.hpp>
#include <crispnas/spec/spec.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ledger_search.hpp"
#include "measured.hpp"
#include "panels.hpp"
#include "schedules.hpp"

namespace support {

namespace detail {
inline constexpr auto& darts_edges = crispnas::darts_cell::edges;
inline constexpr auto& darts_ops = crispnas::darts_cell::ops::names;

inline std::string edge_name(std::size_t e) {
  return fmt::format("{} -> {}", darts_edges[e].from, darts_edges[e].to);
}

/// The weight of an op of an edge at the end of each epoch, in the normal cell.
inline std::vector<double> op_history(const nlohmann::json& search, std::size_t edge, std::size_t op) {
  std::vector<double> values;
  for (const auto& epoch : search.at("epochs"))
    values.push_back(epoch.at("ops").at(0).at(edge * darts_ops.size() + op).get<double>());
  return values;
}
inline std::vector<double> edge_history(const nlohmann::json& search, std::size_t edge) {
  std::vector<double> values;
  for (const auto& epoch : search.at("epochs")) {
    const auto& weights = epoch.at("edges").at(0);
    if (!weights.is_null()) values.push_back(weights.at(edge).get<double>());
  }
  return values;
}
}  // namespace detail

/// Figure 3: the weights of the ops of the 14 edges of the normal cell over the epochs.
inline std::string figure_3(const nlohmann::json& search, const std::string& what) {
  std::vector<panel> panels;
  std::vector<std::pair<std::string, std::string>> legend;
  for (std::size_t e = 0; e < detail::darts_edges.size(); ++e) {
    panels.push_back({detail::edge_name(e), {}});
    for (std::size_t o = 0; o < detail::darts_ops.size(); ++o)
      panels.back().lines.push_back(
          {std::string(detail::darts_ops[o]), palette[o], detail::op_history(search, e, o)});
  }
  for (std::size_t o = 0; o < detail::darts_ops.size(); ++o)
    legend.emplace_back(std::string(detail::darts_ops[o]), palette[o]);
  return panel_chart("Figure 3: weights of the ops, normal cell, " + what, "softmax of alpha", 1, panels,
                     {.columns = 7}, legend);
}

/// Figure 4: the weights of the edges into nodes 3, 4 and 5 of the normal cell over the epochs.
inline std::string figure_4(const nlohmann::json& search, const std::string& what) {
  std::vector<panel> panels;
  double high = 1;
  for (int node : {3, 4, 5}) {
    panels.push_back({fmt::format("node {}", node), {}});
    for (std::size_t e = 0; e < detail::darts_edges.size(); ++e) {
      if (detail::darts_edges[e].to != node) continue;
      auto& lines = panels.back().lines;
      lines.push_back({detail::edge_name(e), palette[lines.size()], detail::edge_history(search, e)});
      for (double v : lines.back().values) high = std::max(high, std::ceil(v * 10) / 10);
    }
  }
  return panel_chart("Figure 4: weights of the edges, normal cell, " + what, "kept x softmax of beta", high,
                     panels, {.columns = 3, .width = 220}, {});
}

/// The numbers behind figures 3 and 4: one row for each epoch, cell, edge: its weight and those of its ops.
inline std::string weights_csv(const nlohmann::json& search) {
  std::string csv = "epoch,cell,from,to,edge_weight";
  for (const auto& op : detail::darts_ops) csv += "," + std::string(op);
  csv += "\r\n";
  for (const auto& epoch : search.at("epochs")) {
    for (std::size_t type = 0; type < epoch.at("ops").size(); ++type) {
      for (std::size_t e = 0; e < detail::darts_edges.size(); ++e) {
        const auto& edges = epoch.at("edges").at(type);
        csv +=
            fmt::format("{},{},{},{},{}", epoch.at("epoch").get<int>(), type == 0 ? "normal" : "reduction",
                        detail::darts_edges[e].from, detail::darts_edges[e].to,
                        edges.is_null() ? std::string() : fmt::format("{:.5f}", edges.at(e).get<double>()));
        for (std::size_t o = 0; o < detail::darts_ops.size(); ++o)
          csv += fmt::format(",{:.5f}",
                             epoch.at("ops").at(type).at(e * detail::darts_ops.size() + o).get<double>());
        csv += "\r\n";
      }
    }
  }
  return csv;
}

/// Figure 5: the schedules.
inline std::string figure_5(int epochs) {
  panel one{"", {}};
  for (std::size_t i = 0; i < schedule_names.size(); ++i) {
    one.lines.push_back({schedule_names[i], palette[i], {}});
    for (int e = 1; e <= epochs; ++e)
      one.lines.back().values.push_back(schedule_at(schedule_names[i], e, epochs));
  }
  return panel_chart("Figure 5: the regularization control functions", "factor", 1.2, {one},
                     {.columns = 1, .width = 480, .height = 280}, {});
}

inline std::string figure_5_csv(int epochs) {
  std::string csv = "epoch";
  for (const auto& name : schedule_names) csv += "," + name;
  csv += "\r\n";
  for (int e = 1; e <= epochs; ++e) {
    csv += fmt::format("{}", e);
    for (const auto& name : schedule_names) csv += fmt::format(",{:.6f}", schedule_at(name, e, epochs));
    csv += "\r\n";
  }
  return csv;
}

/// One of the panels of figure 1: node 3 of one super-network, cut to one budget.
struct node_cut {
  std::string title;             ///< "control, 8/14: keeps 2"
  const nlohmann::json* search;  ///< null: not run
  const nlohmann::json* cut;
  const measured* over_seeds;  ///< for accuracy and error
};

/// Figure 1: the three edges into node 3 of the normal cell before the cut (bars: edge weight times the weight of its strongest op),
/// what two budgets keep of them (dark), and what that costs. One seed is drawn; the numbers are over all of them.
inline std::string figure_1(const std::vector<node_cut>& panels, const std::string& what) {
  constexpr double panel_width = 430, panel_height = 160, left = 20, top = 66;
  const std::size_t columns = 2;
  const std::size_t rows = (panels.size() + 1) / columns;
  std::string svg =
      svg_head(left + double(columns) * panel_width, top + double(rows) * panel_height,
               crispnas::detail::escaped("Figure 1: node 3 of the normal cell cut two ways, " + what));
  svg +=
      "<text x=\"16\" y=\"42\">bars: weight of the edge x weight of its strongest op, before the cut; full "
      "colour: kept</text>\n";
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const auto& p = panels[i];
    const double x0 = left + double(i % columns) * panel_width;
    const std::size_t row = i / columns;
    const double y0 = top + double(row) * panel_height;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"13\">{}</text>\n", x0, y0 + 12,
                       crispnas::detail::escaped(p.title));
    const std::string genotype = genotype_text(p.cut);
    if (p.search == nullptr || genotype.empty()) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">not run</text>\n", x0, y0 + 34);
      continue;
    }
    const auto found = crispnas::parse_genotype(genotype);
    double y = y0 + 24;
    for (std::size_t e = 0; e < detail::darts_edges.size(); ++e) {
      if (detail::darts_edges[e].to != 3) continue;
      std::size_t best = 0;
      for (std::size_t o = 0; o < detail::darts_ops.size(); ++o) {
        if (detail::op_history(*p.search, e, o).back() > detail::op_history(*p.search, e, best).back())
          best = o;
      }
      const auto edge = detail::edge_history(*p.search, e);
      const double op_weight = detail::op_history(*p.search, e, best).back();
      const double edge_weight = edge.empty() ? 1.0 : edge.back();  // DARTS's edges have none
      bool kept = false;
      for (const auto& g : found.normal) kept = kept || (g.from == detail::darts_edges[e].from && g.to == 3);
      const double full = 150;
      svg += fmt::format(
          "<text x=\"{0:.1f}\" y=\"{1:.1f}\">{2}</text><rect class=\"axis\" stroke-opacity=\"0.5\" "
          "x=\"{3:.1f}\" y=\"{4:.1f}\" "
          "width=\"{5:.1f}\" height=\"18\"/><rect x=\"{3:.1f}\" y=\"{4:.1f}\" width=\"{6:.1f}\" "
          "height=\"18\" fill=\"{7}\" "
          "fill-opacity=\"{8}\"/><text x=\"{9:.1f}\" y=\"{1:.1f}\">{10:.2f} x {11:.2f} {12}, {13}</text>\n",
          x0, y + 13, detail::edge_name(e), x0 + 50, y, full,
          full * std::clamp(edge_weight * op_weight, 0.0, 1.0), palette[best], kept ? "1" : "0.35",
          x0 + 58 + full, edge_weight, op_weight, detail::darts_ops[best], kept ? "kept" : "cut");
      y += 30;
    }
    if (p.over_seeds != nullptr) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">accuracy {} %; from scratch: error {} %</text>\n",
                         x0, y + 14, crispnas::detail::escaped(gap_text(*p.over_seeds)),
                         crispnas::detail::escaped(error_text(*p.over_seeds)));
    }
  }
  return svg + "</svg>\n";
}

/// Accuracy before and after the cut and error over the strength of the regularizer; equal steps for each strength.
inline std::string lambda_chart(const std::vector<double>& strengths, const std::vector<measured>& all,
                                const std::string& what) {
  constexpr double width = 640, height = 360, left = 60, right = 170, top = 50, bottom = 50;
  struct curve {
    const char* name;
    const char* color;
    std::vector<double> (*of)(const measured&);
  };
  const std::vector<curve> curves{{"before the cut", palette[0], [](const measured& m) { return m.before; }},
                                  {"after the cut", palette[1], [](const measured& m) { return m.after; }},
                                  {"trained from scratch", palette[2], [](const measured& m) {
                                     auto values = m.error;
                                     for (auto& v : values) v = 100 - v;
                                     return values;
                                   }}};
  const auto x = [&](std::size_t i) {
    return left + 20 +
           (width - left - right - 40) * double(i) / double(std::max<std::size_t>(1, strengths.size() - 1));
  };
  const auto y = [&](double v) {
    return height - bottom - (height - top - bottom) * std::clamp(v, 0.0, 100.0) / 100;
  };
  std::string svg = svg_head(
      width, height, crispnas::detail::escaped("Accuracy over the strength of the regularizer, " + what));
  for (int tick = 0; tick <= 100; tick += 25) {
    svg += fmt::format(
        "<line class=\"axis\" stroke-opacity=\"0.3\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        left, width - right, y(tick), left - 6, y(tick) + 4, tick);
  }
  for (std::size_t i = 0; i < strengths.size(); ++i)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", x(i),
                       height - bottom + 18, strengths[i]);
  svg += fmt::format(
      "<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">factor on equation 7's regularizer</text>\n"
      "<text x=\"14\" y=\"{2}\" transform=\"rotate(-90 14 {2})\" text-anchor=\"middle\">held-out accuracy, "
      "%</text>\n",
      (left + width - right) / 2, height - 10, (top + height - bottom) / 2);
  for (std::size_t c = 0; c < curves.size(); ++c) {
    std::string points;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto values = curves[c].of(all[i]);
      if (values.empty()) continue;
      const double mean = mean_of(values), error = standard_error_of(values);
      points += fmt::format("{:.1f},{:.1f} ", x(i), y(mean));
      svg += fmt::format(
          "<line stroke=\"{0}\" x1=\"{1:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{3:.1f}\"/>"
          "<circle r=\"3\" fill=\"{0}\" cx=\"{1:.1f}\" cy=\"{4:.1f}\"/>\n",
          curves[c].color, x(i), y(mean - error), y(mean + error), y(mean));
    }
    svg += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n",
                       curves[c].color, points);
    svg += svg_legend(width - right + 12, top + 10 + 18 * double(c), {{curves[c].name, curves[c].color}});
  }
  return svg + "</svg>\n";
}

}  // namespace support
