// What can be wrong with a spec? One struct per requirement. The sentence says what to do; the concept under it, named as a
// true statement, carries the values in the compiler's note.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <crispnas/spec/feasible.hpp>

namespace crispnas::detail {

template <int Kept, int InDegree>
concept keeps_no_more_than_enter = Kept <= InDegree;

template <int Kept, int InDegree>
struct require_enough_edges {
  static_assert(keeps_no_more_than_enter<Kept, InDegree>,
                "crispnas::keep: a group is to keep more edges than enter its nodes. Lower the number in keep<...>, or add "
                "nodes to the group.");
};

template <int Kept>
concept is_not_negative = Kept >= 0;

template <int Kept>
struct require_a_count {
  static_assert(is_not_negative<Kept>, "crispnas::keep: the number of edges to keep is negative.");
};

template <int TimesNamed>
concept is_named_once = TimesNamed == 1;

template <int Node, int TimesNamed>
struct require_named_once {
  static_assert(is_named_once<TimesNamed>,
                "crispnas::edge_budget: every node belongs to exactly one group. Nodes are the states after the cell's "
                "inputs: 2 to 5 in a DARTS cell.");
};

template <class Cell, class Budget>
constexpr int times_named(int state) {
  int times = 0;
  for (const group_table& group : Budget::template groups<Cell>()) times += int((group.nodes >> state) & 1U);
  return times;
}

/// The first state that is not named exactly once (also states that are no nodes), or -1. keep_all names each node once.
template <class Cell, class Budget>
struct node_cover {
  static constexpr int first_wrong() {
    for (int state = 0; state < 32; ++state) {
      const bool is_node = state >= Cell::inputs && state < Cell::inputs + Cell::nodes;
      if (times_named<Cell, Budget>(state) != (is_node ? 1 : 0)) return state;
    }
    return -1;
  }
  static constexpr int wrong = first_wrong();
  static constexpr int times = wrong < 0 ? 1 : times_named<Cell, Budget>(wrong);
  // A state that is no node and is named once is as wrong as a node named twice.
  static constexpr int counted = (wrong >= 0 && times == 1) ? -1 : times;
};

template <class Cell, class Budget>
constexpr bool budget_fits() {
  if (node_cover<Cell, Budget>::wrong >= 0) return false;
  for (const group_table& g : Budget::template groups<Cell>()) {
    if (g.kept < 0 || g.kept > std::popcount(g.edges)) return false;
  }
  return true;
}

template <class Cell, class Budget>
constexpr std::uint64_t possible_edges_of() {
  if (!budget_fits<Cell, Budget>()) return ~std::uint64_t{0};  // another check speaks first
  const auto groups = Budget::template groups<Cell>();
  return possible_edges(Cell::edges, groups, Cell::inputs, Cell::nodes, Cell::output);
}

template <class Cell, class Budget>
concept can_be_met_by_a_reachable_set = possible_edges_of<Cell, Budget>() != 0;

template <class Cell, class Budget>
struct require_feasible {
  static_assert(can_be_met_by_a_reachable_set<Cell, Budget>,
                "crispnas::edge_budget: no set of edges meets this budget and stays connected to the inputs. Keep fewer edges "
                "in a group whose sources may all be cut off, or more in the groups that feed it.");
};

template <class Cell, class Budget, class Groups = std::make_index_sequence<Budget::template groups<Cell>().size()>>
struct require_groups;

template <class Cell, class Budget, std::size_t... I>
struct require_groups<Cell, Budget, std::index_sequence<I...>> {
  static constexpr auto groups = Budget::template groups<Cell>();
  static constexpr bool checked =
      ((sizeof(require_enough_edges<groups[I].kept, std::popcount(groups[I].edges)>) > 0) && ...) &&
      ((sizeof(require_a_count<groups[I].kept>) > 0) && ...);
};

/// A budget against a cell: cover first, then counts, then feasibility, so that one mistake gives one error.
template <class Cell, class Budget>
struct check_budget {
  using cover = node_cover<Cell, Budget>;
  static_assert(sizeof(require_named_once<cover::wrong, cover::counted>) > 0, "crispnas::edge_budget: see the note.");
  static constexpr bool counts = [] {
    if constexpr (cover::wrong < 0) return require_groups<Cell, Budget>::checked;
    return true;
  }();
  static_assert(sizeof(require_feasible<Cell, Budget>) > 0, "crispnas::edge_budget: see the note.");
};

template <class Cell>
concept has_edges_in_order = edges_in_order(Cell::edges, Cell::inputs, Cell::nodes);
template <class Cell>
concept has_a_table_sized_graph = Cell::edges.size() <= 64 && Cell::inputs >= 1 && Cell::nodes >= 1 &&
                                  Cell::nodes <= 16 && Cell::inputs + Cell::nodes <= 31;
template <class Cell>
concept has_one_or_two_inputs = Cell::inputs <= 2;
template <class Cell>
concept keeps_its_channels = Cell::layout == skeleton::stacked || (Cell::output == cell_output::last && Cell::inputs == 1);

template <class Cell>
struct check_cell {
  static_assert(has_a_table_sized_graph<Cell>,
                "crispnas::spec: this cell is too large or empty. A cell has 1 or more inputs, 1 to 16 nodes, at most 64 edges.");
  static_assert(has_edges_in_order<Cell>,
                "crispnas::spec: the edges of this cell are out of order. List them by target, then source, each from a lower "
                "state to a node, none twice.");
  static_assert(has_one_or_two_inputs<Cell>,
                "crispnas::spec: a cell reads the outputs of one or two cells before it, so it has 1 or 2 inputs.");
  static_assert(keeps_its_channels<Cell>,
                "crispnas::spec: in residual stages a cell has one input and puts out its last node (cell_output::last), since "
                "the next cell takes it as it is.");
};

template <int OpsKept, int Ops>
concept keeps_no_more_ops_than_compete = OpsKept <= Ops;

template <int OpsKept, int Ops>
struct require_enough_ops {
  static_assert(keeps_no_more_ops_than_compete<OpsKept, Ops>,
                "crispnas::op_budget: more operations are to be kept on an edge than compete on it.");
};

template <class Regularizer, class EdgeWeights>
concept has_weights_for_its_edge_term =
    !Regularizer::has_edge_term || EdgeWeights::rule != edge_weight_rule::none;

template <class Regularizer, class EdgeWeights>
struct require_weights_for_edge_term {
  static_assert(has_weights_for_its_edge_term<Regularizer, EdgeWeights>,
                "crispnas::spec: the regularizer has an edge term, but the edges have no weights. Take no_edge_weights out, or "
                "take a regularizer without an edge term (no_regularizer).");
};

}  // namespace crispnas::detail
