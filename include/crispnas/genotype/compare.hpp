// Do two genotypes mean the same network, and where do they differ? Neither the order of genes nor ops that
// are `none` matter to the network.
#pragma once

#include <crispnas/genotype/genotype.hpp>
#include <string>
#include <string_view>

namespace crispnas {

namespace detail {

constexpr bool comes_before(const gene& a, const gene& b) {
  if (a.to != b.to) return a.to < b.to;
  if (a.from != b.from) return a.from < b.from;
  return a.op.view() < b.op.view();
}

/// How often a cell has a gene.
constexpr int copies(const cell_genotype& cell, const gene& wanted) {
  int n = 0;
  for (const gene& g : cell) n += g == wanted ? 1 : 0;
  return n;
}

}  // namespace detail

/// The cell without `none`, its genes sorted by node, source and name.
constexpr cell_genotype canonical(const cell_genotype& cell) {
  cell_genotype sorted = cell;
  sorted.count = 0;
  for (const gene& g : cell) {
    if (g.op.view() == "none") continue;
    int at = sorted.count;
    sorted.add(g);
    for (; at > 0 && detail::comes_before(g, sorted.genes[at - 1]); --at)
      sorted.genes[at] = sorted.genes[at - 1];
    sorted.genes[at] = g;
  }
  return sorted;
}

/// Whether the cells compute the same. (FairDARTS's own code puts the nodes out in the order in which genes
/// name them first: there another order of genes means another order of channels.)
constexpr bool equivalent(const cell_genotype& a, const cell_genotype& b) {
  return canonical(a) == canonical(b);
}
constexpr bool equivalent(const genotype& a, const genotype& b) {
  return a.has_reduction == b.has_reduction && equivalent(a.normal, b.normal) &&
         (!a.has_reduction || equivalent(a.reduction, b.reduction));
}

namespace detail {

inline std::string gene_lines(const cell_genotype& has, const cell_genotype& lacks, std::string_view name) {
  std::string lines;
  for (int i = 0; i < has.count; ++i) {
    const gene& g = has.genes[i];
    int before = 0;
    for (int j = 0; j < i; ++j) before += has.genes[j] == g ? 1 : 0;
    if (before < copies(lacks, g)) continue;
    lines += "  only in " + std::string(name) + ": " + std::to_string(g.from) + " -> " +
             std::to_string(g.to) + " " + std::string(g.op.view()) + "\n";
  }
  return lines;
}

inline std::string output_of(const cell_genotype& cell) {
  std::string nodes;
  for (int s = 0; s < 32; ++s) {
    if ((cell.concat >> s) & 1U) nodes += (nodes.empty() ? "" : ", ") + std::to_string(s);
  }
  return nodes.empty() ? "nothing" : nodes;
}

inline std::string cell_difference(const cell_genotype& a, const cell_genotype& b, std::string_view name_a,
                                   std::string_view name_b) {
  const std::string first(name_a);
  const std::string second(name_b);
  std::string lines;
  if (a.inputs != b.inputs || a.nodes != b.nodes) {
    lines += "  inputs and nodes: " + first + " " + std::to_string(a.inputs) + " and " +
             std::to_string(a.nodes) + ", " + second + " " + std::to_string(b.inputs) + " and " +
             std::to_string(b.nodes) + "\n";
  }
  if (a.concat != b.concat)
    lines += "  output: " + first + " " + output_of(a) + "; " + second + " " + output_of(b) + "\n";
  const cell_genotype x = canonical(a);
  const cell_genotype y = canonical(b);
  lines += gene_lines(x, y, name_a) + gene_lines(y, x, name_b);
  return lines;
}

}  // namespace detail

/// What differs, one line for each gene that only one has; empty for equivalent genotypes.
inline std::string difference(const genotype& a, const genotype& b, std::string_view name_a,
                              std::string_view name_b) {
  std::string text;
  const auto add = [&](const char* title, const std::string& lines) {
    if (!lines.empty()) text += std::string(title) + "\n" + lines;
  };
  add("normal cell", detail::cell_difference(a.normal, b.normal, name_a, name_b));
  if (a.has_reduction && b.has_reduction) {
    add("reduction cell", detail::cell_difference(a.reduction, b.reduction, name_a, name_b));
  } else if (a.has_reduction != b.has_reduction) {
    add("reduction cell", "  only in " + std::string(a.has_reduction ? name_a : name_b) + "\n");
  }
  return text;
}

}  // namespace crispnas
