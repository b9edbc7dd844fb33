// What does a genotype text mean? The dialect follows from the form of its genes; SNAS's list of all edges
// looks like DARTS's, and is recognized by the sources of each node, which are all states before it.
#pragma once

#include <crispnas/genotype/dialects/dialect.hpp>
#include <crispnas/genotype/dialects/lists.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/reader.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crispnas {

/// A text that has been read: a genotype and how it was written, or, where not `ok`, what is wrong with it.
struct genotype_reading {
  bool ok = false;
  genotype value{};
  dialect written_in = dialect::edge_list;
  text_fault fault{};
};

namespace detail {

/// The number of nodes that genes and concat speak of.
constexpr int nodes_named(const cell_genotype& cell) {
  int last = cell.inputs - 1;
  for (const gene& g : cell) last = g.to > last ? g.to : last;
  for (int s = last + 1; s < most_states; ++s) {
    if ((cell.concat >> s) & 1U) last = s;
  }
  return last + 1 - cell.inputs;
}

/// The nodes of a list of all edges of a cell with two inputs: as many pairs for each node as there are
/// states before it, each of these once, in any order. 0 where the list is none, or names an output beyond
/// it.
constexpr int nodes_of_all_edges(const written_cell& cell) {
  if (cell.form != gene_form::pairs) return 0;
  int node = 2;
  for (int i = 0; i < cell.count; ++node) {
    std::uint32_t sources = 0;
    for (int j = 0; j < node && i < cell.count; ++j) sources |= std::uint32_t{1} << cell.genes[i++].from;
    if (sources != (std::uint32_t{1} << node) - 1U) return 0;
  }
  return (cell.concat >> node) != 0 || node < 4 ? 0 : node - 2;
}

constexpr void read_cell(genotype_reader& in, std::string_view name, std::string_view concat,
                         written_cell& cell, int inputs, int states) {
  in.expect(name);
  in.expect("=");
  read_genes(in, cell, inputs, states);
  in.expect(",");
  in.expect(concat);
  in.expect("=");
  cell.concat_position = in.next();
  if (cell.form == gene_form::pairs) states = inputs + (cell.count + 1) / 2;
  if (cell.form == gene_form::groups) states = inputs + cell.groups;
  cell.concat = read_concat(in, inputs, states);
}

constexpr dialect dialect_of(gene_form form, bool all_edges) {
  switch (form) {
    case gene_form::pairs:
      return all_edges ? dialect::snas : dialect::darts;
    case gene_form::groups:
      return dialect::pt_darts;
    case gene_form::triples:
      return dialect::fairdarts;
    default:
      return dialect::edge_list;
  }
}

/// The genes of `cell` come to `target`, which has its inputs and as many nodes as there may be.
constexpr void interpret(genotype_reader& in, const written_cell& cell, dialect written_in,
                         cell_genotype& target) {
  if (written_in == dialect::darts && cell.count % 2 != 0) in.fail_at(cell.end, "two genes for every node");
  int to = target.inputs;
  int left = to;  // of the pairs of a node, in a list of all edges
  std::uint32_t active = 0;
  for (int i = 0; in.ok() && i < cell.count; ++i) {
    const written_gene& g = cell.genes[i];
    if (written_in == dialect::snas) {
      if (left == 0) left = ++to;
      --left;
      if (g.op != "none") target.add({op_name(g.op), g.from, to});
    } else {
      target.add({op_name(g.op), g.from, g.to});
    }
    active |= std::uint32_t{1} << g.to;
  }
  target.concat = cell.concat;
  target.nodes = nodes_named(target);
  if (written_in == dialect::snas) target.nodes = to + 1 - target.inputs;
  if (written_in == dialect::fairdarts) {
    // Whatever its text says, FairDARTS's cell puts out every node that has an op, and no other.
    if ((active & ~cell.concat) != 0)
      in.fail_at(cell.concat_position, "an output of all nodes that have an op");
    target.concat = cell.concat & active;
  }
}

constexpr genotype read_nas_bench_201(genotype_reader& in) {
  genotype found;
  found.has_reduction = false;
  found.normal.inputs = 1;
  found.normal.nodes = most_states - 1;
  int to = 1;
  do {
    in.expect("|");
    for (int from = 0; in.ok() && from < to; ++from) {
      if (found.normal.count == cell_genotype::capacity) in.fail("at most 64 genes");
      const op_name op(in.name(op_name::capacity));
      in.expect("~");
      const int source = in.number(from, from, "the states in order: a number");
      in.expect("|");
      if (in.ok()) found.normal.add(gene{op, source, to});
    }
    ++to;
  } while (in.take("+"));
  in.expect_end();
  found.normal.nodes = to - 1;
  found.normal.concat = std::uint32_t{1} << (to - 1);
  return found;
}

/// name = ..., as a line of a published genotypes.py begins.
constexpr void skip_assignment(genotype_reader& in) {
  genotype_reader ahead = in;
  const std::size_t first = ahead.next();
  (void)ahead.name(most_text);
  in.go_to(ahead.take("=") ? ahead.next() : first);
}

}  // namespace detail

/// Reads a genotype in any dialect, also in a constant expression. Throws nothing: a text that is none comes
/// back with its fault.
constexpr genotype_reading read_genotype(std::string_view text) {
  using namespace detail;
  genotype_reading found;
  genotype_reader in(text);
  skip_assignment(in);
  if (in.peek("|")) {
    found.value = read_nas_bench_201(in);
    return {in.ok(), found.value, dialect::nas_bench_201, in.fault()};
  }
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
    nodes = in.number(1, most_states - inputs, "a number of nodes");
    in.expect(",");
  }
  const int states = nodes > 0 ? inputs + nodes : most_states;
  written_cell normal;
  written_cell reduction;
  cell_genotype& first = found.value.normal;
  cell_genotype& second = found.value.reduction;
  read_cell(in, "normal", "normal_concat", normal, inputs, states);
  found.value.has_reduction = in.peek(",");
  if (in.take(",")) read_cell(in, "reduce", "reduce_concat", reduction, inputs, states);
  if (in.take(",") && in.take("connectN")) {  // two fields of AutoDL's that are always None
    in.expect("=");
    in.expect("None");
    in.expect(",");
    in.expect("connects");
    in.expect("=");
    in.expect("None");
    in.take(",");
  }
  in.expect(")");
  in.expect_end();

  if (normal.form != gene_form::none && reduction.form != gene_form::none && normal.form != reduction.form) {
    in.fail_at(reduction.genes[0].position, "a gene in the form of the normal cell's");
  }
  // A list as long as all edges of one cell, beside one that is all edges: a wrong source, not a larger cell.
  if (inputs == 2 && found.value.has_reduction && normal.count == reduction.count &&
      (nodes_of_all_edges(normal) > 0) != (nodes_of_all_edges(reduction) > 0)) {
    const written_cell& broken = nodes_of_all_edges(normal) > 0 ? reduction : normal;
    in.fail_at(broken.genes[0].position, "all edges, as in the other cell");
  }
  const bool all_edges =
      inputs == 2 && nodes_of_all_edges(normal) > 0 &&
      (!found.value.has_reduction || nodes_of_all_edges(reduction) == nodes_of_all_edges(normal));
  found.written_in = dialect_of(normal.form == gene_form::none ? reduction.form : normal.form, all_edges);
  first.inputs = second.inputs = inputs;
  first.nodes = second.nodes = states - inputs;
  interpret(in, normal, found.written_in, first);
  if (found.value.has_reduction) {
    interpret(in, reduction, found.written_in, second);
  } else {
    second = cell_genotype{};
  }
  if (found.value.has_reduction || nodes > 0) {
    // A cell whose last nodes are dead names them nowhere; both cells of a genotype have the same states.
    const int most = found.value.has_reduction && second.nodes > first.nodes ? second.nodes : first.nodes;
    first.nodes = nodes > 0 ? nodes : most;
    if (found.value.has_reduction) second.nodes = first.nodes;
  }
  if (first.nodes < 1) in.fail_at(normal.concat_position, "a cell that has a node");
  found.ok = in.ok();
  found.fault = in.fault();
  return found;
}

}  // namespace crispnas
