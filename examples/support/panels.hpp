// Many small line charts side by side as one SVG, readable on light and dark pages: one for each edge or node, all on the same axes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <crispnas/genotype/draw.hpp>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// Seven colours that differ in lightness as well, one for each op.
inline constexpr std::array<const char*, 7> palette{"#2a78c0", "#d0542c", "#3a9a4b", "#9a58b8",
                                                    "#c99a1c", "#12a3a8", "#8a8a8a"};

struct panel_line {
  std::string name;
  std::string color;
  std::vector<double> values;  ///< one per epoch, from 1
};

struct panel {
  std::string title;
  std::vector<panel_line> lines;
};

/// The head of an SVG of this size with the styles of all figures, and its title.
inline std::string svg_head(double width, double height, const std::string& title) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<style>text{{fill:#333}}.axis{{stroke:#888;fill:none}}"
      "@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n"
      "<text x=\"16\" y=\"22\" font-size=\"15\">{2}</text>\n",
      width, height, title);
}

inline std::string svg_legend(double x, double y,
                              const std::vector<std::pair<std::string, std::string>>& names) {
  std::string svg;
  for (const auto& [name, color] : names) {
    svg += fmt::format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"3\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
        x, x + 16, y, y, color, x + 21, y + 4, crispnas::detail::escaped(name));
    x += 38 + 6.6 * double(name.size());
  }
  return svg;
}

struct panel_sizes {
  std::size_t columns = 1;
  double width = 170;  ///< of each panel, in pixels
  double height = 120;
};

/// Values from 0 to `high` over epochs. `legend`: names and colours that all panels share; empty: each panel has its own beside it.
inline std::string panel_chart(const std::string& title, const std::string& y_label, double high,
                               const std::vector<panel>& panels, const panel_sizes& sizes,
                               const std::vector<std::pair<std::string, std::string>>& legend) {
  constexpr double left = 56, top = 56, gap = 34;
  const std::size_t columns = sizes.columns;
  const double panel_width = sizes.width, panel_height = sizes.height;
  const bool own_legend = legend.empty();
  const double own = own_legend ? 92 : 0;  // room beside each panel
  const std::size_t rows = (panels.size() + columns - 1) / columns;
  const double width = left + double(columns) * (panel_width + own + gap);
  const double height = top + double(rows) * (panel_height + 48) + 34;
  std::string svg = svg_head(width, height, crispnas::detail::escaped(title));
  svg += fmt::format(
      "<text x=\"14\" y=\"{0:.1f}\" transform=\"rotate(-90 14 {0:.1f})\" text-anchor=\"middle\">{1}</text>\n",
      height / 2, crispnas::detail::escaped(y_label));
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double x0 = left + double(i % columns) * (panel_width + own + gap);
    const std::size_t row = i / columns;
    const double y0 = top + double(row) * (panel_height + 48);
    svg += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n<rect class=\"axis\" stroke-opacity=\"0.5\" x=\"{:.1f}\" "
        "y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
        x0, y0 - 6, crispnas::detail::escaped(panels[i].title), x0, y0, panel_width, panel_height);
    for (int tick = 0; tick <= 2; ++tick) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", x0 - 5,
                         y0 + panel_height * (1 - tick / 2.0) + 4, high * tick / 2);
    }
    std::size_t epochs = 1;
    for (const auto& line : panels[i].lines) epochs = std::max(epochs, line.values.size());
    const auto x_of = [&](std::size_t e) {
      return x0 + (epochs < 2 ? panel_width / 2 : panel_width * double(e) / double(epochs - 1));
    };
    for (std::size_t e = 0; e < epochs;
         e += std::max<std::size_t>(1, epochs - 1)) {  // the first and the last
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x_of(e),
                         y0 + panel_height + 14, e + 1);
    }
    for (std::size_t l = 0; l < panels[i].lines.size(); ++l) {
      const auto& line = panels[i].lines[l];
      std::string points;
      for (std::size_t e = 0; e < line.values.size(); ++e) {
        points += fmt::format("{:.1f},{:.1f} ", x_of(e),
                              y0 + panel_height * (1 - std::clamp(line.values[e] / high, 0.0, 1.0)));
      }
      if (epochs == 1 && !line.values.empty()) {
        svg += fmt::format("<circle r=\"3\" fill=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", line.color, x_of(0),
                           y0 + panel_height * (1 - std::clamp(line.values[0] / high, 0.0, 1.0)));
      } else {
        svg += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" points=\"{}\"/>\n",
                           line.color, points);
      }
      if (own_legend)
        svg += svg_legend(x0 + panel_width + 8, y0 + 10 + 15 * double(l), {{line.name, line.color}});
    }
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">epoch</text>\n", width / 2,
                     height - 30);
  svg += svg_legend(left, height - 12, legend);
  return svg + "</svg>\n";
}

}  // namespace support
