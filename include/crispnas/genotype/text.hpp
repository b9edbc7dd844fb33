// A genotype as text, and back. DARTS's text where it fits (two genes for every node), an explicit edge list
// otherwise, and the string of NAS-Bench-201 for a cell of one input with one gene on every edge.
//
//   Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...],
//   reduce_concat=range(2, 6)) Genotype(normal=[0->2 sep_conv_3x3, 1->4 skip_connect], normal_concat=[2, 4],
//   reduce=[...], reduce_concat=[...])
//   |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|
//
// The edge list begins with `inputs=1, nodes=3, ` where that does not follow from the rest.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/reader.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace crispnas {

/// Whether every node has exactly two genes, in node order, as DARTS's text says implicitly.
constexpr bool fits_darts_text(const cell_genotype& cell) {
  if (cell.inputs != 2 || cell.count != 2 * cell.nodes) return false;
  for (int i = 0; i < cell.count; ++i) {
    if (cell.genes[i].to != cell.inputs + i / 2) return false;
  }
  return true;
}

/// Whether the cell has one gene on each edge of a dense cell with one input, in order, and puts out its last
/// node.
constexpr bool fits_nas_bench_201_text(const cell_genotype& cell) {
  if (cell.inputs != 1 || cell.count != cell.nodes * (cell.nodes + 1) / 2) return false;
  if (cell.concat != std::uint32_t{1} << cell.nodes) return false;
  int i = 0;
  for (int to = 1; to <= cell.nodes; ++to) {
    for (int from = 0; from < to; ++from, ++i) {
      if (cell.genes[i].from != from || cell.genes[i].to != to) return false;
    }
  }
  return true;
}

namespace detail {

inline constexpr int most_states = 31;

/// The bits of the nodes of a cell.
constexpr std::uint32_t node_bits(int inputs, int nodes) {
  return ((std::uint32_t{1} << (inputs + nodes)) - 1U) & ~((std::uint32_t{1} << inputs) - 1U);
}

/// The number of nodes that genes and concat speak of.
constexpr int nodes_named(const cell_genotype& cell) {
  int last = cell.inputs - 1;
  for (const gene& g : cell) last = g.to > last ? g.to : last;
  for (int s = last + 1; s < most_states; ++s) {
    if ((cell.concat >> s) & 1U) last = s;
  }
  return last + 1 - cell.inputs;
}

inline std::string op_text(const gene& g) {
  const std::string op(g.op.view());
  bool readable = !op.empty();
  for (char c : op) readable = readable && is_name_character(c);
  if (!readable) {
    throw error("crispnas::to_text: the op '" + op +
                "' could not be read back; its name may have letters, digits, and _ - . :");
  }
  return op;
}

inline std::string genes_text(const cell_genotype& cell, bool darts) {
  std::string text = "[";
  for (const gene& g : cell) {
    if (text.size() > 1) text += ", ";
    text += darts ? "('" + op_text(g) + "', " + std::to_string(g.from) + ")"
                  : std::to_string(g.from) + "->" + std::to_string(g.to) + " " + op_text(g);
  }
  return text + "]";
}

inline std::string concat_text(const cell_genotype& cell) {
  if (cell.concat == node_bits(cell.inputs, cell.nodes)) {
    return "range(" + std::to_string(cell.inputs) + ", " + std::to_string(cell.states()) + ")";
  }
  std::string text;
  for (int s = 0; s < most_states; ++s) {
    if ((cell.concat >> s) & 1U) text += (text.empty() ? "" : ", ") + std::to_string(s);
  }
  return "[" + text + "]";
}

/// range(first, last), [a, b] or (a, b).
constexpr std::uint32_t read_concat(genotype_reader& in, int inputs, int states) {
  std::uint32_t concat = 0;
  if (in.take("range")) {
    in.expect("(");
    const int first = in.number(inputs, states, "a state");
    in.expect(",");
    const int last = in.number(first, states, "a state");
    in.expect(")");
    for (int s = first; s < last; ++s) concat |= std::uint32_t{1} << s;
    return concat;
  }
  const bool list = in.take("[");
  if (!list) in.expect("(");
  const std::string_view close = list ? "]" : ")";
  while (!in.take(close)) {
    concat |= std::uint32_t{1} << in.number(inputs, states - 1, "a node");
    if (in.take(",")) continue;
    in.expect(close);
    break;
  }
  return concat;
}

/// ('op', from): DARTS's pair; its target follows from its place in the list.
constexpr gene read_pair(genotype_reader& in, int to, int states) {
  in.expect("(");
  const bool single = in.take("'");
  if (!single) in.expect("\"");
  const op_name op = in.name();
  in.expect(single ? "'" : "\"");
  in.expect(",");
  if (to >= states) in.fail("no more genes than two for every node");
  const int from = in.number(0, to - 1, "a state before the node,");
  in.expect(")");
  return gene{op, from, to};
}

/// from->to op.
constexpr gene read_arrow(genotype_reader& in, int inputs, int states) {
  const int from = in.number(0, states - 2, "a state");
  in.expect("->");
  const int to = in.number(from < inputs ? inputs : from + 1, states - 1, "a node after the source,");
  return gene{in.name(), from, to};
}

/// The list of genes, all pairs or all arrows. `cell` brings its inputs and the most nodes that it may have.
constexpr void read_genes(genotype_reader& in, cell_genotype& cell) {
  in.expect("[");
  const std::size_t first = in.next();
  const bool pairs = in.take("(");
  in.go_to(first);
  while (!in.take("]")) {
    if (cell.count == cell_genotype::capacity) in.fail("at most 64 genes");
    cell.add(pairs ? read_pair(in, cell.inputs + cell.count / 2, cell.states())
                   : read_arrow(in, cell.inputs, cell.states()));
    if (in.take(",")) continue;
    if (pairs && cell.count % 2 != 0) in.fail("two genes for every node");
    in.expect("]");
    break;
  }
}

constexpr void read_cell(genotype_reader& in, std::string_view name, std::string_view concat,
                         cell_genotype& cell) {
  in.expect(name);
  in.expect("=");
  read_genes(in, cell);
  in.expect(",");
  in.expect(concat);
  in.expect("=");
  cell.concat = read_concat(in, cell.inputs, cell.states());
}

constexpr genotype read_nas_bench_201(genotype_reader& in) {
  genotype found;
  found.has_reduction = false;
  found.normal.inputs = 1;
  found.normal.nodes = most_states - 1;
  int to = 1;
  do {
    in.expect("|");
    for (int from = 0; from < to; ++from) {
      if (found.normal.count == cell_genotype::capacity) in.fail("at most 64 genes");
      const op_name op = in.name();
      in.expect("~");
      found.normal.add(gene{op, in.number(from, from, "the states in order: a number"), to});
      in.expect("|");
    }
    ++to;
  } while (in.take("+"));
  in.expect_end();
  found.normal.nodes = to - 1;
  found.normal.concat = std::uint32_t{1} << (to - 1);
  return found;
}

}  // namespace detail

/// The text of a genotype (see the top of this file). parse_genotype reads it back as the same genotype.
inline std::string to_text(const genotype& g) {
  if (!g.has_reduction && fits_nas_bench_201_text(g.normal)) {
    std::string text;
    for (const gene& x : g.normal) {
      if (x.from == 0) text += text.empty() ? "|" : "+|";
      text += detail::op_text(x) + "~" + std::to_string(x.from) + "|";
    }
    return text;
  }
  if (g.has_reduction && (g.normal.inputs != g.reduction.inputs || g.normal.nodes != g.reduction.nodes)) {
    throw error(
        "crispnas::to_text: the normal and the reduction cell have different numbers of inputs or nodes.");
  }
  const bool darts = fits_darts_text(g.normal) && (!g.has_reduction || fits_darts_text(g.reduction));
  const int named = detail::nodes_named(g.normal);
  const int also = g.has_reduction ? detail::nodes_named(g.reduction) : 0;
  std::string text = "Genotype(";
  if (g.normal.inputs != 2 || (named > also ? named : also) != g.normal.nodes) {
    text += "inputs=" + std::to_string(g.normal.inputs) + ", nodes=" + std::to_string(g.normal.nodes) + ", ";
  }
  text +=
      "normal=" + detail::genes_text(g.normal, darts) + ", normal_concat=" + detail::concat_text(g.normal);
  if (g.has_reduction) {
    text += ", reduce=" + detail::genes_text(g.reduction, darts) +
            ", reduce_concat=" + detail::concat_text(g.reduction);
  }
  return text + ")";
}

/// Reads a genotype, also in a constant expression. Throws crispnas::error with the position, what was
/// expected and what was found.
constexpr genotype parse_genotype(std::string_view text) {
  detail::genotype_reader in(text);
  const std::size_t first = in.next();
  if (in.take("|")) {
    in.go_to(first);
    return detail::read_nas_bench_201(in);
  }
  genotype found;
  in.expect("Genotype");
  in.expect("(");
  int inputs = 2;
  int nodes = 0;
  if (in.take("inputs")) {
    in.expect("=");
    inputs = in.number(1, 8, "a number of inputs");
    in.expect(",");
  }
  if (in.take("nodes")) {
    in.expect("=");
    nodes = in.number(1, detail::most_states - inputs, "a number of nodes");
    in.expect(",");
  }
  found.normal.inputs = found.reduction.inputs = inputs;
  found.normal.nodes = found.reduction.nodes = nodes > 0 ? nodes : detail::most_states - inputs;
  detail::read_cell(in, "normal", "normal_concat", found.normal);
  found.has_reduction = in.take(",");
  if (found.has_reduction) detail::read_cell(in, "reduce", "reduce_concat", found.reduction);
  in.expect(")");
  in.expect_end();
  if (!found.has_reduction) found.reduction = cell_genotype{};
  if (nodes == 0) {
    // A cell whose last nodes are dead names them nowhere; both cells of a genotype have the same states.
    const int normal = detail::nodes_named(found.normal);
    const int reduction = found.has_reduction ? detail::nodes_named(found.reduction) : 0;
    found.normal.nodes = normal > reduction ? normal : reduction;
    if (found.has_reduction) found.reduction.nodes = found.normal.nodes;
  }
  return found;
}

}  // namespace crispnas
