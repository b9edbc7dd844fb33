// Which dialects can express a genotype? For those that cannot, the first node or edge that stands in the
// way.
#pragma once

#include <crispnas/genotype/dialects/dialect.hpp>
#include <crispnas/genotype/dialects/lists.hpp>
#include <crispnas/genotype/dialects/read.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <cstdint>
#include <string>
#include <vector>

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

/// The genes sorted by their node, otherwise as they were. The order of nodes means nothing.
constexpr cell_genotype in_node_order(const cell_genotype& cell) {
  cell_genotype sorted = cell;
  sorted.count = 0;
  for (int to = cell.inputs; to < cell.states(); ++to) {
    for (const gene& g : cell) {
      if (g.to == to) sorted.add(g);
    }
  }
  return sorted;
}

namespace detail {

/// The bits of the nodes of a cell.
constexpr std::uint32_t node_bits(int inputs, int nodes) {
  return ((std::uint32_t{1} << (inputs + nodes)) - 1U) & ~((std::uint32_t{1} << inputs) - 1U);
}

constexpr int genes_into(const cell_genotype& cell, int node) {
  int genes = 0;
  for (const gene& g : cell) genes += g.to == node ? 1 : 0;
  return genes;
}

/// The gene on an edge, the first of several; nullptr where there is none.
constexpr const gene* gene_on(const cell_genotype& cell, int from, int to) {
  for (const gene& g : cell) {
    if (g.from == from && g.to == to) return &g;
  }
  return nullptr;
}

inline std::string counted(int n, const std::string& noun) {
  return (n == 0 ? "no" : std::to_string(n)) + " " + noun + (n == 1 ? "" : "s");
}

/// What no text could say.
inline std::string unreadable(const cell_genotype& cell) {
  for (const gene& g : cell) {
    const std::string op(g.op.view());
    bool readable = !op.empty();
    for (char c : op) readable = readable && is_name_character(c);
    if (!readable) return "the op '" + op + "' could not be read back; letters, digits and _ - . : could";
  }
  if (cell.inputs < 1 || cell.inputs > 8 || cell.nodes < 1 || cell.states() > most_states) {
    return "it has " + counted(cell.inputs, "input") + " and " + counted(cell.nodes, "node") +
           "; a text speaks of 1 to 8 inputs, of a node or more, and of at most 31 states";
  }
  if ((cell.concat & ~node_bits(cell.inputs, cell.nodes)) != 0)
    return "its output names a state that is no node";
  return {};
}

/// Two ops on one edge, where the dialect has place for one.
inline std::string crowded_edge(const cell_genotype& cell) {
  for (const gene& g : cell) {
    if (gene_on(cell, g.from, g.to) != &g) {
      return "the edge " + std::to_string(g.from) + " -> " + std::to_string(g.to) +
             " has several ops, and there is place for one";
    }
  }
  return {};
}

/// FairDARTS: the output is every node that has an op.
inline std::string other_output(const cell_genotype& cell) {
  for (int s = cell.inputs; s < cell.states(); ++s) {
    const bool put_out = (cell.concat >> s) & 1U;
    if (put_out && !cell.alive(s))
      return "node " + std::to_string(s) + " is in the output, and no op enters it";
    if (!put_out && cell.alive(s))
      return "an op enters node " + std::to_string(s) + ", and it is not in the output";
  }
  return {};
}

inline std::string misfit(const cell_genotype& cell, dialect d) {
  const auto wants_inputs = [&](int inputs) {
    return cell.inputs == inputs
               ? std::string()
               : "it has " + counted(cell.inputs, "input") + " instead of " + std::to_string(inputs);
  };
  const auto wants_genes = [&](int least, int most, const std::string& wanted) {
    for (int s = cell.inputs; s < cell.states(); ++s) {
      const int genes = genes_into(cell, s);
      if (genes < least || genes > most) {
        return "node " + std::to_string(s) + " has " + counted(genes, "op") + ", and " + wanted + " needed";
      }
    }
    return std::string();
  };
  if (d == dialect::edge_list) return {};
  std::string problem = wants_inputs(d == dialect::nas_bench_201 ? 1 : 2);
  if (!problem.empty()) return problem;
  switch (d) {
    case dialect::darts:
      return wants_genes(2, 2, "exactly two are");
    case dialect::pt_darts:
      return wants_genes(1, cell_genotype::capacity, "one or more are");
    case dialect::fairdarts:
      return other_output(cell);
    case dialect::snas:
      if (cell.nodes < 2 || cell.nodes > 9)
        return "it has " + counted(cell.nodes, "node") + ", and there is place for 2 to 9";
      return crowded_edge(cell);
    default:
      if (cell.nodes > 10) return "it has " + counted(cell.nodes, "node") + ", and there is place for 10";
      if (cell.concat != std::uint32_t{1} << cell.nodes) return "its output is not its last node alone";
      return crowded_edge(cell);
  }
}

/// Whether pairs, two for every node, would be taken for SNAS's list of all edges.
constexpr bool reads_as_all_edges(const cell_genotype& cell) {
  written_cell written;
  written.form = gene_form::pairs;
  written.concat = cell.concat;
  for (const gene& g : cell) written.genes[written.count++].from = g.from;
  return nodes_of_all_edges(written) > 0;
}

inline bool reads_as_all_edges(const genotype& g) {
  // One cell alone that does is taken for a mistake in the other.
  return reads_as_all_edges(in_node_order(g.normal)) ||
         (g.has_reduction && reads_as_all_edges(in_node_order(g.reduction)));
}

}  // namespace detail

/// Why a dialect cannot express the genotype, in words that name the cell and the node or edge; empty if it
/// can. What it expresses is the same up to the order of genes and to `none` (see equivalent in compare.hpp).
inline std::string why_not(const genotype& g, dialect d) {
  using namespace detail;
  if (g.has_reduction && (g.normal.inputs != g.reduction.inputs || g.normal.nodes != g.reduction.nodes)) {
    return "the normal and the reduction cell have different numbers of inputs or nodes";
  }
  if (g.has_reduction && d == dialect::nas_bench_201)
    return "there is a reduction cell, and there is place for one cell";
  if (d == dialect::fairdarts && g.normal.count + (g.has_reduction ? g.reduction.count : 0) == 0)
    return "no cell has an op";
  for (const cell_genotype* cell : {&g.normal, &g.reduction}) {
    if (cell == &g.reduction && !g.has_reduction) break;
    std::string problem = unreadable(*cell);
    if (problem.empty()) problem = misfit(*cell, d);
    if (problem.empty()) continue;
    return (cell == &g.normal ? "normal cell, " : "reduction cell, ") + problem;
  }
  if (d == dialect::darts && reads_as_all_edges(g)) return "its pairs would be taken for a list of all edges";
  return {};
}

/// The dialects that can express the genotype.
inline std::vector<dialect> dialects_for(const genotype& g) {
  std::vector<dialect> able;
  for (std::size_t i = 0; i < dialect_names.size(); ++i) {
    if (why_not(g, static_cast<dialect>(i)).empty()) able.push_back(static_cast<dialect>(i));
  }
  return able;
}

}  // namespace crispnas
