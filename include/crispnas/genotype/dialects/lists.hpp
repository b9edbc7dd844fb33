// What stands in a genotype text, before it is known what it means? Lists of genes in one of four forms, each
// with its place in the text, and the states of the output.
//   [('op', from), ...]       pairs       [[('op', from), ...], ...]   groups of pairs
//   [('op', to, from), ...]   triples     [from->to op, ...]           arrows
#pragma once

#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/reader.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crispnas::detail {

inline constexpr int most_states = 31;

enum class gene_form : std::uint8_t { none, pairs, groups, triples, arrows };

/// One gene as it is written. `to` of a pair is that of DARTS: the second pair ends a node.
struct written_gene {
  std::string_view op;
  int from = 0;
  int to = 0;
  std::size_t position = 0;
};

struct written_cell {
  gene_form form = gene_form::none;
  written_gene genes[cell_genotype::capacity]{};
  int count = 0;
  int groups = 0;
  std::size_t end = 0;  ///< position of the end of the list
  std::uint32_t concat = 0;
  std::size_t concat_position = 0;
};

/// Python's list or tuple: takes the opening bracket and returns the closing one.
constexpr std::string_view open_list(genotype_reader& in, std::string_view wanted) {
  const std::string_view other = wanted == "[" ? "(" : "[";
  const bool took_other = in.take(other);
  if (!took_other) in.expect(wanted);
  return (took_other ? other : wanted) == "[" ? "]" : ")";
}

/// After an item: whether another one follows.
constexpr bool next_item(genotype_reader& in, std::string_view close) {
  if (in.take(",")) return !in.take(close);
  in.expect(close);
  return false;
}

/// range(first, last), [a, b] or (a, b), of the nodes below `states`.
constexpr std::uint32_t read_concat(genotype_reader& in, int inputs, int states) {
  std::uint32_t concat = 0;
  if (in.take("range")) {
    in.expect("(");
    const int first = in.number(inputs, states, "a state");
    in.expect(",");
    const int last = in.number(first, states, "a state");
    in.expect(")");
    for (int s = first; in.ok() && s < last; ++s) concat |= std::uint32_t{1} << s;
    return concat;
  }
  const std::string_view close = open_list(in, "(");
  bool more = !in.take(close);
  while (more && in.ok()) {
    concat |= std::uint32_t{1} << in.number(inputs, states - 1, "a node");
    more = next_item(in, close);
  }
  return concat;
}

/// Whether after a number, which comes next, another one follows.
constexpr bool two_numbers_follow(genotype_reader in) {
  in.number(0, 999, "");
  return in.take(",") && in.peek_digit();
}

/// ('op', from) or ('op', to, from), for the list that has been read so far.
constexpr void read_call(genotype_reader& in, written_cell& cell, int inputs, int states) {
  written_gene& gene = cell.genes[cell.count];
  gene.position = in.next();
  const std::string_view close = open_list(in, "(");
  const bool single = in.take("'");
  if (!single) in.expect("\"");
  gene.op = in.name(op_name::capacity);
  in.expect(single ? "'" : "\"");
  in.expect(",");
  if (cell.form == gene_form::none)
    cell.form = two_numbers_follow(in) ? gene_form::triples : gene_form::pairs;
  if (cell.form == gene_form::triples) {
    gene.to = in.number(inputs, states - 1, "a node");
    in.expect(",");
  } else {
    gene.to = cell.form == gene_form::groups ? inputs + cell.groups - 1 : inputs + cell.count / 2;
    if (gene.to >= states) in.fail("no more genes than two for every node");
  }
  if (in.ok()) gene.from = in.number(0, gene.to - 1, "a state before the node,");
  in.take(",");
  in.expect(close);
  ++cell.count;
}

/// from->to op.
constexpr void read_arrow(genotype_reader& in, written_cell& cell, int inputs, int states) {
  written_gene& gene = cell.genes[cell.count++];
  cell.form = gene_form::arrows;
  gene.position = in.next();
  gene.from = in.number(0, states - 2, "a state");
  in.expect("->");
  gene.to = in.number(gene.from < inputs ? inputs : gene.from + 1, states - 1, "a node after the source,");
  gene.op = in.name(op_name::capacity);
}

constexpr void check_capacity(genotype_reader& in, const written_cell& cell) {
  if (cell.count == cell_genotype::capacity) in.fail("at most 64 genes");
}

/// [('op', from), ...]: the genes of one node.
constexpr void read_group(genotype_reader& in, written_cell& cell, int inputs, int states) {
  cell.form = gene_form::groups;
  const std::string_view close = open_list(in, "[");
  if (inputs + cell.groups >= states) in.fail("no more lists of genes than there can be nodes");
  ++cell.groups;
  if (in.peek(close)) in.fail("at least one gene for every node");
  bool more = in.ok();
  while (more) {
    check_capacity(in, cell);
    if (in.ok()) read_call(in, cell, inputs, states);
    more = next_item(in, close);  // none after a failure
  }
}

/// Whether a list begins here, and not a gene.
constexpr bool group_follows(genotype_reader in) {
  return (in.take("[") || in.take("(")) && (in.peek("[") || in.peek("(") || in.peek("]") || in.peek(")"));
}

/// The list of genes of a cell, all in the form of the first.
constexpr void read_genes(genotype_reader& in, written_cell& cell, int inputs, int states) {
  const std::string_view close = open_list(in, "[");
  bool more = !in.take(close);
  while (more && in.ok()) {
    check_capacity(in, cell);
    if (!in.ok()) break;
    if (cell.form == gene_form::groups || (cell.form == gene_form::none && group_follows(in))) {
      read_group(in, cell, inputs, states);
    } else if (cell.form == gene_form::arrows ||
               (cell.form == gene_form::none && !in.peek("(") && !in.peek("["))) {
      read_arrow(in, cell, inputs, states);
    } else {
      read_call(in, cell, inputs, states);
    }
    cell.end = in.next();
    more = next_item(in, close);
  }
}

}  // namespace crispnas::detail
