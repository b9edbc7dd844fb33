// Which edges are to be kept? An edge budget: groups, each "keep K of the edges that enter these nodes". The
// groups cover every node once; a group over several nodes is a joint one (the paper's 3/14). Section 4.2,
// "Imbalanced Configurations".
#pragma once

#include <array>
#include <concepts>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/slot.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace crispnas {

namespace detail {

template <class T>
concept names_nodes = requires {
  T::states.size();
};

template <class T>
concept is_a_group = requires {
  { T::kept } -> std::convertible_to<int>;
  typename T::targets;
};

template <class T>
struct require_group {
  static_assert(
      is_a_group<T>,
      "crispnas::edge_budget: this type is not a group. A budget is a list of keep<K, nodes<...>>.");
};

template <class T>
concept answers_the_edge_budget = requires {
  typename T::slot;
  typename T::normal;
  typename T::reduction;
  requires std::same_as<typename T::slot, slots::edge_budget>;
};

template <class T>
struct require_edge_budget {
  static_assert(
      answers_the_edge_budget<T>,
      "crispnas::cells: this type is not an edge budget. Name two: cells<edges_8_of_14, edges_4_of_14>.");
};

template <class T>
concept is_a_group_of_nodes = is_a_group<T> && names_nodes<typename T::targets>;

/// A budget that cannot be read at all says so itself; no other check looks at it. Budgets of users are taken
/// as they are.
template <class Budget>
constexpr bool is_well_formed() {
  if constexpr (requires { Budget::well_formed; }) {
    return Budget::well_formed;
  } else {
    return true;
  }
}

}  // namespace detail

/// The target states of a group, e.g. `nodes<2, 3>` for the first two nodes of a DARTS cell.
template <int... States>
struct nodes {
  static constexpr std::array<int, sizeof...(States)> states{States...};
};

/// Keep `Kept` of the edges that enter the nodes of `Nodes`.
template <int Kept, class Nodes>
struct keep {
  static constexpr int kept = Kept;
  using targets = Nodes;
  static_assert(detail::names_nodes<Nodes>,
                "crispnas::keep: the second argument says which nodes: keep<1, nodes<2, 3>>.");
};

/// A group of a budget as plain data; bit s of `nodes` is state s, bit e of `edges` is edge e of the cell.
struct group_table {
  int kept = 0;
  std::uint32_t nodes = 0;
  std::uint64_t edges = 0;
};

/// The groups of one cell type. Checked against a cell where it is used (spec).
template <class... Keeps>
struct edge_budget {
  using slot = slots::edge_budget;
  using normal = edge_budget;
  using reduction = edge_budget;
  static_assert(((sizeof(Keeps) > 0) && ...), "crispnas::edge_budget: see the note.");
  static_assert(((sizeof(detail::require_group<Keeps>) > 0) && ...), "crispnas::edge_budget: see the note.");
  static constexpr bool well_formed = (detail::is_a_group_of_nodes<Keeps> && ...);
  static constexpr std::size_t group_count = sizeof...(Keeps);

  /// How often the groups name a state; once is right for a node.
  static constexpr int times_named(int state) { return (0 + ... + times_named_by<Keeps>(state)); }
  /// A state that is named but lies outside of [first, last], or -1.
  static constexpr int named_outside(int first, int last) {
    int found = -1;
    ((found = found == -1 ? outside_of<Keeps>(first, last) : found), ...);
    return found;
  }

  /// The groups over the edges of a cell.
  template <class Cell>
  static constexpr auto groups() {
    return std::array<group_table, sizeof...(Keeps)>{group_of<Cell, Keeps>()...};
  }

 private:
  template <class Cell, class Keep>
  static constexpr group_table group_of() {
    group_table group{Keep::kept, 0, 0};
    for (int state : Keep::targets::states) {
      if (state >= 0 && state < 32) group.nodes |= std::uint32_t{1} << state;
    }
    for (std::size_t e = 0; e < Cell::edges.size(); ++e) {
      if ((group.nodes >> Cell::edges[e].to) & 1U) group.edges |= std::uint64_t{1} << e;
    }
    return group;
  }
  template <class Keep>
  static constexpr int times_named_by(int state) {
    int times = 0;
    for (int named : Keep::targets::states) times += named == state ? 1 : 0;
    return times;
  }
  template <class Keep>
  static constexpr int outside_of(int first, int last) {
    for (int named : Keep::targets::states) {
      if (named < first || named > last) return named == -1 ? -2 : named;
    }
    return -1;
  }
};

/// Every edge is kept: there is nothing to choose (the NAS-Bench-201 space, where `none` takes edges away).
struct keep_all {
  using slot = slots::edge_budget;
  using normal = keep_all;
  using reduction = keep_all;

  template <class Cell>
  static constexpr auto groups() {
    std::array<group_table, static_cast<std::size_t>(Cell::nodes)> groups{};
    for (std::size_t n = 0; n < groups.size(); ++n) {
      const int state = Cell::inputs + static_cast<int>(n);
      groups[n].nodes = std::uint32_t{1} << state;
      for (std::size_t e = 0; e < Cell::edges.size(); ++e) {
        if (Cell::edges[e].to == state) {
          groups[n].edges |= std::uint64_t{1} << e;
          ++groups[n].kept;
        }
      }
    }
    return groups;
  }
};

/// Different budgets for normal and reduction cells.
template <class Normal, class Reduction>
struct cells {
  using slot = slots::edge_budget;
  using normal = Normal;
  using reduction = Reduction;
  static_assert(sizeof(detail::require_edge_budget<Normal>) > 0, "crispnas::cells: see the note.");
  static_assert(sizeof(detail::require_edge_budget<Reduction>) > 0, "crispnas::cells: see the note.");
  static constexpr bool well_formed = [] {
    if constexpr (detail::answers_the_edge_budget<Normal> && detail::answers_the_edge_budget<Reduction>) {
      return detail::is_well_formed<Normal>() && detail::is_well_formed<Reduction>();
    } else {
      return false;
    }
  }();
};

/// The paper's configurations for the DARTS cell (section 4.2), and 7/14, ours. All numbers are edges of 14.
using edges_3_of_14 = edge_budget<keep<1, nodes<2, 3>>, keep<1, nodes<4>>, keep<1, nodes<5>>>;
using edges_4_of_14 = edge_budget<keep<1, nodes<2>>, keep<1, nodes<3>>, keep<1, nodes<4>>, keep<1, nodes<5>>>;
using edges_5_of_14 = edge_budget<keep<1, nodes<2>>, keep<1, nodes<3>>, keep<1, nodes<4>>, keep<2, nodes<5>>>;
using edges_6_of_14 = edge_budget<keep<1, nodes<2>>, keep<1, nodes<3>>, keep<2, nodes<4>>, keep<2, nodes<5>>>;
using edges_7_of_14 = edge_budget<keep<1, nodes<2>>, keep<2, nodes<3>>, keep<2, nodes<4>>, keep<2, nodes<5>>>;
using edges_8_of_14 = edge_budget<keep<2, nodes<2>>, keep<2, nodes<3>>, keep<2, nodes<4>>, keep<2, nodes<5>>>;

}  // namespace crispnas
