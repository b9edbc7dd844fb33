// A cell as a picture: SVG drawn here, DOT for Graphviz. States from left to right; every kept op has a row
// of its own, so that neither labels nor lines can overlap. Nodes that nothing enters are drawn dashed.
#pragma once

#include <algorithm>
#include <crispnas/genotype/genotype.hpp>
#include <cstdio>
#include <string>
#include <vector>

namespace crispnas {

namespace detail {

/// c_{k-2}, c_{k-1} for the inputs, 0.. for the nodes, as published pictures have it.
inline std::string state_label(const cell_genotype& cell, int state) {
  if (state >= cell.inputs) return std::to_string(state - cell.inputs);
  return "c_{k-" + std::to_string(cell.inputs - state) + "}";
}

inline std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

/// For a DOT string.
inline std::string quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// Where everything stands. Layers count from the inputs; rows are shared by nothing.
struct cell_layout {
  std::vector<int> layer;     ///< of each state; dead nodes stand in layer 1
  std::vector<double> row;    ///< of each state
  std::vector<double> genes;  ///< row of each gene
  int last_layer = 1;
  double rows = 1;
};

inline cell_layout layout_of(const cell_genotype& cell) {
  const auto states = static_cast<std::size_t>(cell.states());
  cell_layout at{std::vector<int>(states, 0), std::vector<double>(states, 0.0), {}, 1, 1};
  at.genes.resize(static_cast<std::size_t>(cell.count));
  double next = 0;
  for (int s = cell.inputs; s < cell.states(); ++s) {
    const auto i = static_cast<std::size_t>(s);
    at.layer[i] = 1;
    double sum = 0;
    int entering = 0;
    for (int g = 0; g < cell.count; ++g) {
      if (cell.genes[g].to != s) continue;
      at.layer[i] = std::max(at.layer[i], at.layer[static_cast<std::size_t>(cell.genes[g].from)] + 1);
      at.genes[static_cast<std::size_t>(g)] = next;
      sum += next++;
      ++entering;
    }
    at.row[i] = entering > 0 ? sum / entering : next++;
    at.last_layer = std::max(at.last_layer, at.layer[i]);
  }
  at.rows = std::max(next, 3.0);  // room for two inputs
  for (int s = 0; s < cell.inputs; ++s) {
    at.row[static_cast<std::size_t>(s)] = (at.rows - 1) * (s + 0.5) / cell.inputs;
  }
  return at;
}

inline std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// What the picture shows, for who cannot see it: "cell: c_{k-2} -> 0 sep_conv_3x3, ...".
inline std::string words_of(const cell_genotype& cell, std::string_view title) {
  std::string words = (title.empty() ? std::string("cell") : std::string(title)) + ":";
  for (const gene& g : cell) {
    words += (words.back() == ':' ? " " : ", ") + state_label(cell, g.from) + " -> " +
             state_label(cell, g.to) + " " + std::string(g.op.view());
  }
  return words;
}

}  // namespace detail

/// A self-contained SVG, readable on light and dark pages; its styles touch nothing else on a page that it is put into.
inline std::string to_svg(const cell_genotype& cell, std::string_view title = {}) {
  using detail::number;
  constexpr double row_height = 38;
  constexpr double margin = 62;
  constexpr double output_width = 160;
  std::size_t longest = 12;
  for (const gene& g : cell) longest = std::max(longest, g.op.view().size());
  const double box_width = 22 + 8 * static_cast<double>(longest);
  const double layer_width = box_width + 118;
  const auto at = detail::layout_of(cell);
  const double top = title.empty() ? 30 : 58;
  const double width = 2 * margin + layer_width * at.last_layer + output_width;
  const double height = top + row_height * at.rows + 8;
  const auto x_of = [&](int layer) { return margin + layer_width * layer; };
  const auto y_of = [&](double row) { return top + row_height * row + 10; };
  const double out_x = x_of(at.last_layer) + output_width;
  const double out_y = y_of((at.rows - 1) / 2);

  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) + " " + number(height) +
      "\" width=\"" + number(width) + "\" height=\"" + number(height) +
      "\" class=\"cell\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\">\n<title>" +
      detail::escaped(detail::words_of(cell, title)) +
      "</title>\n"
      "<style>.cell .s{fill:#cfe3f5;stroke:#2a6496}.cell .n{fill:#fdf0cf;stroke:#a07818}"
      ".cell .o{fill:#dff0d8;stroke:#3c763d}.cell .d{fill:none;stroke:#999;stroke-dasharray:4 3}"
      ".cell .b{fill:#fff;stroke:#777}.cell .l{fill:none;stroke:#666;stroke-width:1.4}"
      ".cell .c{fill:none;stroke:#bbb}.cell text{fill:#222;text-anchor:middle}.cell .t{fill:#555}"
      "@media(prefers-color-scheme:dark){.cell .t{fill:#ccc}.cell .l{stroke:#aaa}.cell .c{stroke:#666}}"
      "</style>\n";
  if (!title.empty()) {
    svg += "<text class=\"t\" x=\"" + number(width / 2) + "\" y=\"26\" font-size=\"16\">" +
           detail::escaped(title) + "</text>\n";
  }
  // Every gene leaves its source, turns into its own row at once, and enters its target from its box.
  for (int g = 0; g < cell.count; ++g) {
    const gene& x = cell.genes[g];
    const auto from = static_cast<std::size_t>(x.from);
    const auto to = static_cast<std::size_t>(x.to);
    const double y = y_of(at.genes[static_cast<std::size_t>(g)]);
    const double x0 = x_of(at.layer[from]);
    const double y0 = y_of(at.row[from]);
    const double x1 = x_of(at.layer[to]);
    const double y1 = y_of(at.row[to]);
    const double box = x1 - 40 - box_width;
    const double turn = std::min(x0 + 68, box);
    svg += "<path class=\"l\" d=\"M" + number(x0) + " " + number(y0) + "C" + number(x0 + 42) + " " +
           number(y0) + " " + number(turn - 30) + " " + number(y) + " " + number(turn) + " " + number(y) +
           "L" + number(box + box_width) + " " + number(y) + "C" + number(box + box_width + 18) + " " +
           number(y) + " " + number(x1 - 28) + " " + number(y1) + " " + number(x1 - 17) + " " + number(y1) +
           "\"/>\n<rect class=\"b\" rx=\"5\" x=\"" + number(box) + "\" y=\"" + number(y - 13) +
           "\" width=\"" + number(box_width) + "\" height=\"26\"/><text x=\"" + number(box + box_width / 2) +
           "\" y=\"" + number(y + 4.5) + "\">" + detail::escaped(x.op.view()) + "</text>\n";
  }
  // To the output: level in the row of the node, where no box of a later layer can stand, then together.
  const double level = x_of(at.last_layer) + 20;
  for (int s = cell.inputs; s < cell.states(); ++s) {
    if (!((cell.concat >> s) & 1U)) continue;
    const auto i = static_cast<std::size_t>(s);
    const double y = y_of(at.row[i]);
    svg += "<path class=\"c\" d=\"M" + number(x_of(at.layer[i]) + 17) + " " + number(y) + "H" +
           number(level) + "C" + number(level + 70) + " " + number(y) + " " + number(out_x - 70) + " " +
           number(out_y) + " " + number(out_x - 30) + " " + number(out_y) + "\"/>\n";
  }
  for (int s = 0; s < cell.states(); ++s) {
    const auto i = static_cast<std::size_t>(s);
    const double x = x_of(at.layer[i]);
    const double y = y_of(at.row[i]);
    const bool input = s < cell.inputs;
    const std::string style = input ? "s" : cell.alive(s) ? "n" : "d";
    if (input) {
      svg += "<rect class=\"s\" rx=\"6\" x=\"" + number(x - 30) + "\" y=\"" + number(y - 15) +
             "\" width=\"60\" height=\"30\"/>";
    } else {
      svg += "<circle class=\"" + style + "\" r=\"16\" cx=\"" + number(x) + "\" cy=\"" + number(y) + "\"/>";
    }
    svg += "<text" + std::string(style == "d" ? " class=\"t\"" : "") + " x=\"" + number(x) + "\" y=\"" +
           number(y + 4.5) + "\">" + detail::state_label(cell, s) + "</text>\n";
  }
  svg += "<rect class=\"o\" rx=\"6\" x=\"" + number(out_x - 30) + "\" y=\"" + number(out_y - 15) +
         "\" width=\"60\" height=\"30\"/><text x=\"" + number(out_x) + "\" y=\"" + number(out_y + 4.5) +
         "\">c_{k}</text>\n";
  return svg + "</svg>\n";
}

/// Graphviz text of the same cell: `dot -Tpdf`.
inline std::string to_dot(const cell_genotype& cell) {
  std::string dot = "digraph cell {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", shape=circle];\n";
  for (int s = 0; s < cell.states(); ++s) {
    dot += "  s" + std::to_string(s) + " [label=\"" + detail::state_label(cell, s) + "\"" +
           (s < cell.inputs ? ", shape=box"
            : cell.alive(s) ? ""
                            : ", style=dashed") +
           "];\n";
  }
  dot += "  out [label=\"c_{k}\", shape=box];\n";
  for (const gene& g : cell) {
    dot += "  s" + std::to_string(g.from) + " -> s" + std::to_string(g.to) + " [label=\"" +
           detail::quoted(g.op.view()) + "\"];\n";
  }
  for (int s = cell.inputs; s < cell.states(); ++s) {
    if ((cell.concat >> s) & 1U) dot += "  s" + std::to_string(s) + " -> out [color=gray];\n";
  }
  return dot + "}\n";
}

}  // namespace crispnas
