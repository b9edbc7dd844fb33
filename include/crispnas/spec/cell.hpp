// What is a cell? A small directed acyclic graph: inputs, nodes, edges, the ops on every edge, and how nodes
// become output.
#pragma once

#include <array>
#include <concepts>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/op_set.hpp>
#include <crispnas/spec/slot.hpp>
#include <cstddef>
#include <cstdint>

namespace crispnas {

/// How the nodes of a cell become its output.
enum class cell_output : std::uint8_t {
  concat,  ///< all living nodes, concatenated over channels (DARTS)
  last,    ///< the last node alone (NAS-Bench-201)
};

/// How cells are stacked to a network.
enum class skeleton : std::uint8_t {
  stacked,  ///< DARTS: cell k reads cells k-1 and k-2 through 1x1 convolutions; reduction cells at L/3 and
            ///< 2L/3
  residual_stages,  ///< NAS-Bench-201: three stages of cells with a residual block of stride 2 between them
};

/// A cell graph: `inputs`, `nodes`, `edges` (sorted by target, then source), `ops`, `output`, `layout`.
/// Any struct with these members is one; no base class is needed.
template <class T>
concept cell_graph = requires {
  { T::inputs } -> std::convertible_to<int>;
  { T::nodes } -> std::convertible_to<int>;
  { T::edges.size() } -> std::convertible_to<std::size_t>;
  { T::edges[0] } -> std::convertible_to<edge>;
  typename T::ops;
  { T::output } -> std::convertible_to<cell_output>;
  { T::layout } -> std::convertible_to<skeleton>;
};

namespace detail {

constexpr int dense_edges(int inputs, int nodes) {
  if (inputs < 1 || nodes < 1) return 0;  // spec says what is wrong with such a cell
  return nodes * inputs + nodes * (nodes - 1) / 2;
}

template <int Inputs, int Nodes>
constexpr auto make_dense_edges() {
  std::array<edge, static_cast<std::size_t>(dense_edges(Inputs, Nodes))> edges{};
  std::size_t at = 0;
  for (int to = Inputs; to < Inputs + Nodes; ++to) {
    for (int from = 0; from < to; ++from) edges[at++] = edge{from, to};
  }
  return edges;
}

/// The index of the first edge that breaks the order or leaves the cell, or -1.
template <class Edges>
constexpr int first_edge_out_of_order(const Edges& edges, int inputs, int nodes) {
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const edge b = edges[i];
    const bool in_range = b.from >= 0 && b.to >= inputs && b.to < inputs + nodes;
    if (!in_range || b.from >= b.to) return static_cast<int>(i);
    if (i > 0) {
      const edge a = edges[i - 1];
      if (a.to > b.to || (a.to == b.to && a.from >= b.from)) return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace detail

/// A cell in which every node reads all states before it.
template <int Inputs, int Nodes, class OpSet, cell_output Output = cell_output::concat,
          skeleton Layout = skeleton::stacked>
struct dense_cell {
  using slot = slots::space;
  using ops = OpSet;
  static constexpr int inputs = Inputs;
  static constexpr int nodes = Nodes;
  static constexpr auto edges = detail::make_dense_edges<Inputs, Nodes>();
  static constexpr cell_output output = Output;
  static constexpr skeleton layout = Layout;
};

/// The DARTS cell: 2 inputs and 4 nodes, 2 + 3 + 4 + 5 = 14 edges, the paper's seven operations.
using darts_cell = dense_cell<2, 4, darts_ops>;

/// The same cell with `none`, as DARTS and PC-DARTS publish it.
using darts_cell_with_none = dense_cell<2, 4, darts_ops_with_none>;

/// The NAS-Bench-201 cell: 1 input and 3 nodes, 6 edges, five operations; the last node is the output.
using nas_bench_201_cell = dense_cell<1, 3, nas_bench_201_ops, cell_output::last, skeleton::residual_stages>;

}  // namespace crispnas
