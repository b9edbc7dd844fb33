// What is a searched cell? Plain structural data: usable as a template argument, comparable, open to any op
// name.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/spec/op.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace crispnas {

/// The name of an op, stored inline so that a genotype can be a template argument. At most 31 characters.
struct op_name {
  static constexpr int capacity = longest_op_name;
  char text[capacity + 1]{};

  constexpr op_name() = default;
  constexpr op_name(std::string_view name) {  // NOLINT: a name is a name
    if (name.size() > capacity)
      throw error("crispnas::op_name: '" + std::string(name) + "' is longer than 31 characters.");
    for (std::size_t i = 0; i < name.size(); ++i) text[i] = name[i];
  }
  constexpr op_name(const char* name) : op_name(std::string_view(name)) {}  // NOLINT
  constexpr std::string_view view() const { return std::string_view(text); }
  friend constexpr bool operator==(const op_name&, const op_name&) = default;
};

/// One kept op on one kept edge. States 0.. are the inputs of the cell, then its nodes.
struct gene {
  op_name op;
  int from = 0;
  int to = 0;
  friend constexpr bool operator==(const gene&, const gene&) = default;
};

/// The genes of a cell, at most 64, in the order in which they were added; `concat` has bit s for each state
/// in the output.
struct cell_genotype {
  static constexpr int capacity = most_genes;
  int inputs = 2;
  int nodes = 4;
  std::uint32_t concat = 0;
  int count = 0;
  gene genes[capacity]{};

  constexpr void add(const gene& g) {
    if (count == capacity) throw error("crispnas::cell_genotype: more than 64 genes.");
    if (g.from < 0 || g.from >= g.to || g.to < inputs || g.to >= inputs + nodes) {
      throw error("crispnas::cell_genotype: an edge goes from a lower state to a node; " +
                  std::to_string(g.from) + " -> " + std::to_string(g.to) + " does not, in a cell of " +
                  std::to_string(inputs) + " inputs and " + std::to_string(nodes) + " nodes.");
    }
    genes[count++] = g;
  }
  constexpr const gene* begin() const { return genes; }
  constexpr const gene* end() const { return genes + count; }
  constexpr int size() const { return count; }
  constexpr int states() const { return inputs + nodes; }

  /// Whether something enters the state (a cell input always lives).
  constexpr bool alive(int state) const {
    if (state < inputs) return true;
    for (const gene& g : *this) {
      if (g.to == state) return true;
    }
    return false;
  }
  /// Edges that carry at least one op.
  constexpr int kept_edges() const {
    int edges = 0;
    for (int i = 0; i < count; ++i) {
      bool first = true;
      for (int j = 0; j < i; ++j)
        first = first && !(genes[j].from == genes[i].from && genes[j].to == genes[i].to);
      edges += first ? 1 : 0;
    }
    return edges;
  }
  friend constexpr bool operator==(const cell_genotype& a, const cell_genotype& b) {
    if (a.inputs != b.inputs || a.nodes != b.nodes || a.concat != b.concat || a.count != b.count)
      return false;
    for (int i = 0; i < a.count; ++i) {
      if (!(a.genes[i] == b.genes[i])) return false;
    }
    return true;
  }
};

/// Normal and reduction cell; spaces with one cell type have only the first.
struct genotype {
  cell_genotype normal;
  cell_genotype reduction;
  bool has_reduction = true;
  friend constexpr bool operator==(const genotype&, const genotype&) = default;
};

}  // namespace crispnas
