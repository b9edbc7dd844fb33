// What can be wrong with a spec? One struct per requirement. The sentence says what to do; the concept under
// it, named as a true statement, carries the values in the compiler's note.
#pragma once

#include <bit>
#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <crispnas/spec/feasible.hpp>
#include <crispnas/spec/op.hpp>
#include <crispnas/spec/policies.hpp>
#include <cstdint>
#include <type_traits>

namespace crispnas::detail {

template <int Kept, int InDegree>
concept keeps_no_more_than_enter = Kept <= InDegree;

template <int Kept, int InDegree>
struct require_enough_edges {
  static_assert(keeps_no_more_than_enter<Kept, InDegree>,
                "crispnas::keep: a group is to keep more edges than enter its nodes. Lower the number in "
                "keep<...>, or add "
                "nodes to the group.");
};

template <int Kept>
concept is_not_negative = Kept >= 0;

template <int Kept>
struct require_a_count {
  static_assert(is_not_negative<Kept>, "crispnas::keep: the number of edges to keep is negative.");
};

template <int State, int FirstNode, int LastNode>
concept is_a_node = FirstNode <= State&& State <= LastNode;

template <int State, int FirstNode, int LastNode>
struct require_node {
  static_assert(
      is_a_node<State, FirstNode, LastNode>,
      "crispnas::edge_budget: every node belongs to exactly one group. This state is no node: "
      "nodes are the states "
      "after the cell's inputs, 2 to 5 in a DARTS cell (for which edges_8_of_14 and its like are).");
};

template <int TimesNamed>
concept is_named_once = TimesNamed == 1;

template <int Node, int TimesNamed>
struct require_named_once {
  static_assert(is_named_once<TimesNamed>,
                "crispnas::edge_budget: every node belongs to exactly one group. Name the node in one "
                "keep<..., nodes<...>>.");
};

/// How often a budget names the nodes. A budget of a user that cannot tell is asked for its groups.
template <class Cell, class Budget>
struct node_cover {
  static constexpr int first = Cell::inputs;
  static constexpr int last = Cell::inputs + Cell::nodes - 1;
  static constexpr int times_named(int state) {
    if constexpr (requires { Budget::times_named(state); }) {
      return Budget::times_named(state);
    } else {
      int count = 0;
      for (const group_table& group : Budget::template groups<Cell>())
        count += int((group.nodes >> state) & 1U);
      return count;
    }
  }
  static constexpr int find_outside() {
    if constexpr (requires { Budget::named_outside(first, last); }) return Budget::named_outside(first, last);
    return -1;
  }
  static constexpr int find_wrong() {
    for (int state = first; state <= last; ++state) {
      if (times_named(state) != 1) return state;
    }
    return -1;
  }
  static constexpr int outside = find_outside();
  static constexpr int wrong = find_wrong();
  static constexpr int times = wrong == -1 ? 1 : times_named(wrong);
  static constexpr bool met = outside == -1 && wrong == -1;
};

template <class Cell, class Budget>
constexpr std::uint64_t possible_edges_of() {
  return possible_edges(Cell::edges, Budget::template groups<Cell>(), Cell::inputs, Cell::nodes,
                        Cell::output);
}

template <class Cell, class Budget>
concept can_be_met_by_a_reachable_set = possible_edges_of<Cell, Budget>()
!= 0;

template <class Cell, class Budget>
struct require_feasible {
  static_assert(can_be_met_by_a_reachable_set<Cell, Budget>,
                "crispnas::edge_budget: no set of edges meets this budget and stays connected to the inputs. "
                "Keep fewer edges "
                "in a group whose sources may all be cut off, or more in the groups that feed it.");
};

/// Each further open node doubles the compile time of the feasibility check, and compilers stop at a bound.
inline constexpr int most_joint_nodes = 8;
template <class Cell, class Budget>
constexpr int joint_nodes() {
  return std::popcount(open_nodes(Budget::template groups<Cell>()));
}
template <int JointNodes>
concept has_few_joint_nodes = JointNodes <= most_joint_nodes;

template <int JointNodes>
struct require_few_joint_nodes {
  static_assert(
      has_few_joint_nodes<JointNodes>,
      "crispnas::edge_budget: more than 8 nodes of a cell are in joint groups. Give some of them a group of "
      "their own.");
};

template <class Cell, class Budget>
struct group_counts {
  static constexpr auto groups = Budget::template groups<Cell>();
  /// The first group whose number of edges is impossible, or their number.
  static constexpr std::size_t find_wrong() {
    std::size_t g = 0;
    while (g < groups.size() && groups[g].kept >= 0 && groups[g].kept <= std::popcount(groups[g].edges)) ++g;
    return g;
  }
  static constexpr std::size_t wrong = find_wrong();
  static constexpr bool met = wrong == groups.size();
  static constexpr group_table group = met ? group_table{} : groups[met ? 0 : wrong];
};

/// The verdict is apart from the report: a class in which a static_assert fails has no usable members on
/// every compiler. Cover first, then counts, then feasibility; what follows an unmet requirement is not
/// asked.
template <class Cell, class Budget>
constexpr bool budget_is_met_by_one_cell() {
  if constexpr (!node_cover<Cell, Budget>::met) {
    return false;
  } else if constexpr (!group_counts<Cell, Budget>::met ||
                       !has_few_joint_nodes<joint_nodes<Cell, Budget>()>) {
    return false;
  } else {
    return can_be_met_by_a_reachable_set<Cell, Budget>;
  }
}

template <class Cell, class Budget>
struct report_cover {
  using cover = node_cover<Cell, Budget>;
  static constexpr bool inside = cover::outside == -1;
  static_assert(sizeof(require_node < inside ? cover::first : cover::outside, cover::first, cover::last >) >
                0);
  static_assert(sizeof(require_named_once < cover::wrong, inside ? cover::times : 1 >) > 0);
};

template <class Cell, class Budget>
struct report_counts {
  static constexpr group_table group = group_counts<Cell, Budget>::group;
  static constexpr int in_degree = std::popcount(group.edges);
  static_assert(sizeof(require_a_count<group.kept>) > 0, "crispnas::keep: see the note.");
  static_assert(sizeof(require_enough_edges<group.kept, in_degree>) > 0, "crispnas::keep: see the note.");
};

template <class Cell, class Budget>
constexpr auto budget_report() {
  if constexpr (!node_cover<Cell, Budget>::met) {
    return std::type_identity<report_cover<Cell, Budget>>{};
  } else if constexpr (!group_counts<Cell, Budget>::met) {
    return std::type_identity<report_counts<Cell, Budget>>{};
  } else if constexpr (!has_few_joint_nodes<joint_nodes<Cell, Budget>()>) {
    return std::type_identity<require_few_joint_nodes<joint_nodes<Cell, Budget>()>>{};
  } else {
    return std::type_identity<require_feasible<Cell, Budget>>{};
  }
}

template <class Cell, class Budget>
struct check_one_budget {
  static_assert(sizeof(typename decltype(budget_report<Cell, Budget>())::type) > 0,
                "crispnas::edge_budget: see the note.");
};

/// Both budgets of a spec; nothing is asked of one that cannot be read.
template <class Cell, class Budget>
constexpr bool budget_is_met() {
  if constexpr (!is_well_formed<Budget>()) {
    return false;
  } else {
    return budget_is_met_by_one_cell<Cell, typename Budget::normal>() &&
           budget_is_met_by_one_cell<Cell, typename Budget::reduction>();
  }
}

template <class Cell, class Budget, bool WellFormed = is_well_formed<Budget>()>
struct check_budget {};
template <class Cell, class Budget>
struct check_budget<Cell, Budget, true> {
  static_assert(sizeof(check_one_budget<Cell, typename Budget::normal>) > 0,
                "crispnas::edge_budget: see the note.");
  static_assert(sizeof(check_one_budget<Cell, typename Budget::reduction>) > 0,
                "crispnas::edge_budget: see the note.");
};

template <int Inputs, int Nodes, int Edges>
concept has_a_table_sized_graph =
    Inputs >= 1 && Nodes >= 1 && Nodes <= 16 && Inputs + Nodes <= 31 && Edges >= 1 && Edges <= 64;
template <int FirstWrongEdge>
concept has_all_edges_in_order = FirstWrongEdge < 0;
template <int Inputs>
concept has_one_or_two_inputs = Inputs <= 2;
template <int Inputs, cell_output Output>
concept puts_out_what_it_reads = Inputs == 1 && Output == cell_output::last;

/// What is known of a cell graph; each question is asked only where those before it are answered.
template <class Cell>
struct cell_facts {
  static constexpr int inputs = Cell::inputs;
  static constexpr int nodes = Cell::nodes;
  static constexpr int edges = static_cast<int>(Cell::edges.size());
  static constexpr bool residual = Cell::layout == skeleton::residual_stages;
  static constexpr bool sized = has_a_table_sized_graph<inputs, nodes, edges>;
  static constexpr int wrong_edge = sized ? first_edge_out_of_order(Cell::edges, inputs, nodes) : -1;
  static constexpr bool sound = sized && wrong_edge < 0;
  static constexpr bool met =
      sound && (residual ? puts_out_what_it_reads<inputs, Cell::output> : has_one_or_two_inputs<inputs>);
};

template <class Cell>
struct check_cell {
  using facts = cell_facts<Cell>;
  static_assert(has_a_table_sized_graph<facts::inputs, facts::nodes, facts::edges>,
                "crispnas::spec: this cell is too large or empty. A cell has 1 or more inputs, 1 to 16 "
                "nodes, 1 to 64 edges.");
  static_assert(has_all_edges_in_order<facts::wrong_edge>,
                "crispnas::spec: the edges of this cell are out of order. List them by target, then source, "
                "each from a lower "
                "state to a node, none twice.");
  static_assert(
      has_one_or_two_inputs < facts::sound && !facts::residual ? facts::inputs : 1 >,
      "crispnas::spec: a cell reads the outputs of one or two cells before it, so it has 1 or 2 inputs.");
  static_assert(puts_out_what_it_reads < facts::sound && facts::residual ? facts::inputs : 1,
                facts::sound&& facts::residual ? Cell::output : cell_output::last >,
                "crispnas::spec: in residual stages a cell has one input and puts out its last node "
                "(cell_output::last), since "
                "the next cell takes it as it is.");
};

template <int OpsKept, int Ops>
concept keeps_no_more_ops_than_compete = OpsKept <= Ops;

template <int OpsKept, int Ops>
struct require_enough_ops {
  static_assert(keeps_no_more_ops_than_compete<OpsKept, Ops>,
                "crispnas::op_budget: more operations are to be kept on an edge than compete on it.");
};

/// Of the two cell types, the edges of the one that keeps more.
template <class Cell, class Budget>
constexpr int most_kept_edges() {
  int normal = 0;
  int reduction = 0;
  for (const group_table& group : Budget::normal::template groups<Cell>()) normal += group.kept;
  for (const group_table& group : Budget::reduction::template groups<Cell>()) reduction += group.kept;
  return normal < reduction ? reduction : normal;
}

template <int Genes>
concept fits_into_a_genotype = Genes <= most_genes;

template <int Genes>
struct require_a_genotype {
  static_assert(fits_into_a_genotype<Genes>,
                "crispnas::spec: the cut cell would have more than the 64 genes that a genotype holds. Keep "
                "fewer edges, or "
                "fewer operations on an edge.");
};

template <class Regularizer, class EdgeWeights>
concept has_weights_for_its_edge_term =
    !Regularizer::has_edge_term || EdgeWeights::rule != edge_weight_rule::none;

template <class Regularizer, class EdgeWeights>
struct require_weights_for_edge_term {
  static_assert(has_weights_for_its_edge_term<Regularizer, EdgeWeights>,
                "crispnas::spec: the regularizer has an edge term, but the edges have no weights. Take "
                "no_edge_weights out, or "
                "take a regularizer without an edge term (no_regularizer).");
};

}  // namespace crispnas::detail
