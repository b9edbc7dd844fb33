// A line chart as SVG, readable on light and dark pages.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace support {

struct series {
  std::string name;
  std::string color;
  std::vector<double> values;  ///< one per epoch, from 1
};

/// Values over epochs, y from `low` to `high`.
inline std::string line_chart(const std::string& title, const std::string& y_label, double low, double high,
                              const std::vector<series>& lines) {
  constexpr double width = 640, height = 320, left = 60, right = 170, top = 40, bottom = 45;
  std::size_t epochs = 2;
  for (const auto& line : lines) epochs = std::max(epochs, line.values.size());
  const auto x = [&](std::size_t epoch) {
    return left + (width - left - right) * double(epoch) / double(epochs - 1);
  };
  const auto y = [&](double value) {
    return height - bottom - (height - top - bottom) * (std::clamp(value, low, high) - low) / (high - low);
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<style>text{{fill:#333}}.axis{{stroke:#888}}"
      "@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n"
      "<text x=\"{2}\" y=\"22\" font-size=\"15\">{3}</text>\n",
      width, height, left, title);
  for (int tick = 0; tick <= 4; ++tick) {
    const double value = low + (high - low) * tick / 4;
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke-opacity=\"0.3\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
        left, width - right, y(value), left - 6, y(value) + 4, value);
  }
  const std::size_t every = std::max<std::size_t>(1, (epochs + 9) / 10);
  for (std::size_t e = 0; e < epochs; e += every) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x(e),
                       height - bottom + 18, e + 1);
  }
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">epoch</text>\n",
                     (left + width - right) / 2, height - 8);
  svg += fmt::format(
      "<text x=\"14\" y=\"{0}\" transform=\"rotate(-90 14 {0})\" text-anchor=\"middle\">{1}</text>\n",
      (top + height - bottom) / 2, y_label);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string points;
    for (std::size_t e = 0; e < lines[i].values.size(); ++e) {
      points += fmt::format("{:.1f},{:.1f} ", x(e), y(lines[i].values[e]));
    }
    svg += fmt::format("<polyline fill=\"none\" stroke=\"{0}\" stroke-width=\"2\" points=\"{1}\"/>\n",
                       lines[i].color, points);
    const double row = top + 10 + 18 * double(i);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"3\"/>"
        "<text x=\"{4}\" y=\"{5}\">{6}</text>\n",
        width - right + 12, width - right + 30, row, lines[i].color, width - right + 36, row + 4,
        lines[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace support
