// Charts over epochs as SVG, readable on light and dark pages: lines, and shares of a whole. Text takes the colour of the page.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "markup.hpp"

namespace support {

struct series {
  std::string name;
  std::string color;           ///< of CSS, such as #0072b2 or var(--blue)
  std::vector<double> values;  ///< one per epoch, from 1; a gap where it is no number
  std::string dash = {};       ///< of stroke-dasharray
  double width = 2.0;
};

/// What the y axis shows, with a number at every step.
struct axis {
  double low = 0.0;
  double high = 1.0;
  double step = 0.25;
};

/// The smallest axis of round numbers that holds the values, with about 4 steps; `low` and `high` are on it in any case.
inline axis axis_of(const std::vector<series>& lines, double low, double high) {
  for (const auto& line : lines) {
    for (const double v : line.values) {
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    }
  }
  if (!(high > low)) high = low + 1;
  const double rough = (high - low) / 4;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double round : {5.0, 2.5, 2.0, 1.0}) {
    if (round * power >= rough * 0.999) step = round * power;
  }
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

namespace detail {

/// Where a chart stands in its picture.
struct frame {
  double width, height, left, right, top, bottom;
  std::size_t epochs = 1;
  axis y_axis = {};

  double x(std::size_t epoch) const {  // one epoch alone stands in the middle
    const double inner = width - left - right;
    return epochs < 2 ? left + inner / 2 : left + inner * double(epoch) / double(epochs - 1);
  }
  double y(double value) const {
    const double share =
        (std::clamp(value, y_axis.low, y_axis.high) - y_axis.low) / (y_axis.high - y_axis.low);
    return height - bottom - (height - top - bottom) * share;
  }
};

inline std::size_t epochs_of(const std::vector<series>& lines) {
  std::size_t epochs = 1;
  for (const auto& line : lines) epochs = std::max(epochs, line.values.size());
  return epochs;
}

/// The picture's element, named for who cannot see it.
inline std::string picture(const frame& f, const std::string& words, const std::string& rest = "") {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\"{}>\n<title>{}</title>\n", f.width, f.height,
                     rest, markup(words));
}

/// Lines and numbers of the y axis, numbers of the epochs.
inline std::string axes(const frame& f) {
  std::string svg;
  const int ticks = static_cast<int>(std::lround((f.y_axis.high - f.y_axis.low) / f.y_axis.step));
  for (int i = 0; i <= ticks; ++i) {
    const double value = f.y_axis.low + f.y_axis.step * i;
    const double y = f.y(value);
    svg += fmt::format(
        "<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"currentColor\" stroke-opacity=\"{}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"currentColor\">{:.6g}</text>\n",
        f.left, y, f.width - f.right, std::abs(value) < f.y_axis.step / 1e6 ? 0.55 : 0.18, f.left - 7, y + 4,
        std::abs(value) < f.y_axis.step / 1e6 ? 0.0 : value);
  }
  std::size_t every = 1;
  for (std::size_t i = 0; f.epochs > 8 * every; ++i) every = i % 3 == 1 ? every / 2 * 5 : every * 2;
  for (std::size_t e = 1; e <= f.epochs; ++e) {
    if (every > 1 && e % every != 0 && e != 1) continue;
    svg += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" fill=\"currentColor\">{}</text>\n",
        f.x(e - 1), f.height - f.bottom + 17, e);
  }
  return svg;
}

/// A line; a point that stands alone is a dot.
inline std::string line(const frame& f, const series& s) {
  std::string svg, points;
  std::size_t count = 0;
  const auto finish = [&](std::size_t next) {
    if (count == 1) {
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" style=\"fill:{}\"/>\n", f.x(next - 1),
                         f.y(s.values[next - 1]), s.width + 1, s.color);
    } else if (count > 1) {
      const std::string dash = s.dash.empty() ? "" : ";stroke-dasharray:" + s.dash;
      svg += fmt::format(
          "<polyline fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" "
          "style=\"stroke:{};stroke-width:{}{}\" points=\"{}\"/>\n",
          s.color, s.width, dash, points);
    }
    points.clear();
    count = 0;
  };
  for (std::size_t e = 0; e < s.values.size(); ++e) {
    if (!std::isfinite(s.values[e])) {
      finish(e);
      continue;
    }
    points += fmt::format("{}{:.1f},{:.1f}", count == 0 ? "" : " ", f.x(e), f.y(s.values[e]));
    ++count;
  }
  finish(s.values.size());
  return svg;
}

/// "name 0.31, other 0.2": what the lines end at.
inline std::string last_values(const std::vector<series>& lines) {
  std::string words;
  for (const auto& s : lines) {
    const double last = s.values.empty() ? std::numeric_limits<double>::quiet_NaN() : s.values.back();
    words += fmt::format("{}{} {:.4g}", words.empty() ? "" : ", ", s.name, last);
  }
  return words;
}

}  // namespace detail

/// A chart for a page, whose legend is HTML beside it (page.hpp). `shaded`: the area between the first two lines is tinted.
inline std::string line_plot(const std::string& title, const axis& y_axis, const std::vector<series>& lines,
                             bool shaded = false) {
  const detail::frame f{440, 236, 44, 12, 10, 26, detail::epochs_of(lines), y_axis};
  std::string svg = detail::picture(f, fmt::format("{}, epochs 1 to {}. At the end: {}", title, f.epochs,
                                                   detail::last_values(lines))) +
                    detail::axes(f);
  if (shaded && f.epochs > 1) {
    std::string points;
    for (std::size_t e = 0; e < f.epochs; ++e)
      points += fmt::format("{:.1f},{:.1f} ", f.x(e), f.y(lines[0].values[e]));
    for (std::size_t e = f.epochs; e-- > 0;)
      points += fmt::format("{:.1f},{:.1f} ", f.x(e), f.y(lines[1].values[e]));
    svg +=
        fmt::format("<polygon style=\"fill:{};fill-opacity:0.16\" points=\"{}\"/>\n", lines[1].color, points);
  }
  for (const auto& s : lines) svg += detail::line(f, s);
  return svg + "</svg>\n";
}

/// A small line chart, one of many: numbers only at the ends of the axes.
inline std::string small_line_plot(const std::string& title, const axis& y_axis,
                                   const std::vector<series>& lines) {
  detail::frame f{220, 124, 24, 8, 8, 20, detail::epochs_of(lines), y_axis};
  f.y_axis.step = y_axis.high - y_axis.low;
  std::string svg = detail::picture(f, title + ". At the end: " + detail::last_values(lines));
  for (const double value : {y_axis.low, y_axis.high}) {
    svg += fmt::format(
        "<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"currentColor\" stroke-opacity=\"0.3\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"currentColor\">{:.3g}</text>\n",
        f.left, f.y(value), f.width - f.right, f.left - 5, f.y(value) + 4, value);
  }
  svg += fmt::format(
      "<text x=\"{0:.1f}\" y=\"{1:.1f}\" fill=\"currentColor\">1</text><text x=\"{2:.1f}\" y=\"{1:.1f}\" "
      "text-anchor=\"end\" fill=\"currentColor\">{3}</text>\n",
      f.left, f.height - 4, f.width - f.right, f.epochs > 1 ? std::to_string(f.epochs) : "");
  for (const auto& s : lines) svg += detail::line(f, s);
  return svg + "</svg>\n";
}

/// Shares of a whole over the epochs, stacked from below in the order of `parts`; a small chart, one of many.
inline std::string share_plot(const std::string& title, const std::vector<series>& parts) {
  const std::size_t epochs = detail::epochs_of(parts);
  const detail::frame f{220, 124, 24, 8, 8, 20, std::max<std::size_t>(epochs, 2), {0, 1, 1}};
  std::string svg = detail::picture(f, title + ". At the end: " + detail::last_values(parts));
  std::vector<double> sum(f.epochs, 0.0);
  for (const auto& part : parts) {
    std::string below;
    std::string above;
    for (std::size_t e = 0; e < f.epochs; ++e) {  // one epoch alone fills the whole width
      const double value = part.values[std::min(e, epochs - 1)];
      below = fmt::format("{:.1f},{:.1f} ", f.x(e), f.y(sum[e])) + below;
      sum[e] += std::isfinite(value) ? value : 0.0;
      above += fmt::format("{:.1f},{:.1f} ", f.x(e), f.y(sum[e]));
    }
    svg += fmt::format("<polygon class=\"share\" style=\"fill:{}\" points=\"{}{}\"/>\n", part.color, above,
                       below);
  }
  for (const int value : {0, 1}) {
    svg +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"currentColor\">{}</text>\n",
                    f.left - 5, f.y(value) + 4, value);
  }
  svg += fmt::format(
      "<text x=\"{0:.1f}\" y=\"{1:.1f}\" fill=\"currentColor\">1</text><text x=\"{2:.1f}\" y=\"{1:.1f}\" "
      "text-anchor=\"end\" fill=\"currentColor\">{3}</text>\n",
      f.left, f.height - 4, f.width - f.right, epochs > 1 ? std::to_string(epochs) : "");
  return svg + "</svg>\n";
}

/// A picture of its own, with title and legend: values over epochs, y from `low` to `high`.
inline std::string line_chart(const std::string& title, const std::string& y_label, double low, double high,
                              const std::vector<series>& lines) {
  const detail::frame f{640,
                        320,
                        60,
                        170,
                        40,
                        45,
                        std::max<std::size_t>(detail::epochs_of(lines), 2),
                        {low, high, (high - low) / 4}};
  const double right = f.width - f.right;
  std::string svg =
      detail::picture(f, fmt::format("{}: {}. At the end: {}", title, y_label, detail::last_values(lines)),
                      fmt::format(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
                                  "class=\"chart\" font-family=\"sans-serif\" font-size=\"12\"",
                                  f.width, f.height)) +
      fmt::format(
          "<style>.chart{{color:#333}}@media(prefers-color-scheme:dark){{.chart{{color:#ddd}}}}</style>\n"
          "<text x=\"{}\" y=\"22\" font-size=\"15\" fill=\"currentColor\">{}</text>\n",
          f.left, markup(title)) +
      detail::axes(f);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"currentColor\">epoch</text>\n",
                     (f.left + right) / 2, f.height - 8);
  svg += fmt::format(
      "<text x=\"14\" y=\"{0}\" transform=\"rotate(-90 14 {0})\" text-anchor=\"middle\" "
      "fill=\"currentColor\">{1}</text>\n",
      (f.top + f.height - f.bottom) / 2, markup(y_label));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double row = f.top + 10 + 18 * double(i);
    svg += detail::line(f, lines[i]);
    svg += fmt::format(
        "<path d=\"M{} {}H{}\" style=\"stroke:{};stroke-width:3\"/>"
        "<text x=\"{}\" y=\"{}\" fill=\"currentColor\">{}</text>\n",
        right + 12, row, right + 30, lines[i].color, right + 36, row + 4, markup(lines[i].name));
  }
  return svg + "</svg>\n";
}

}  // namespace support
