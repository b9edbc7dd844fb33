// Does the enumeration over living nodes agree with trying every subset of the edges, on graphs and budgets
// that are odd?
#include <array>

#include "brute_force.hpp"

namespace cn = crispnas;
using brute_force::agrees, brute_force::by_library, brute_force::all_of;
using cn::dense_cell, cn::edge, cn::edge_budget, cn::keep, cn::nodes;

template <int Inputs, int Nodes, class Budget>
constexpr bool dense_agrees = agrees<dense_cell<Inputs, Nodes, cn::darts_ops>, Budget>();

// Joint groups of every size.
static_assert(dense_agrees<2, 4, edge_budget<keep<1, nodes<2, 3, 4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<2, nodes<2, 3, 4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<5, nodes<2, 3, 4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<14, nodes<2, 3, 4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<1, nodes<2, 3>>, keep<1, nodes<4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<2, nodes<2, 5>>, keep<3, nodes<3, 4>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<1, nodes<5, 3>>, keep<1, nodes<4, 2>>>>);
// A group that keeps nothing: its nodes are dead, and whatever leaves them is impossible.
static_assert(dense_agrees<2, 4, edge_budget<keep<0, nodes<2>>, keep<1, nodes<3>>, keep<2, nodes<4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<0, nodes<2, 3, 4>>, keep<2, nodes<5>>>>);
static_assert(by_library<cn::darts_cell, edge_budget<keep<0, nodes<2, 3, 4>>, keep<2, nodes<5>>>>()
                  .possible == 0b11U << 9);
// No feasible set at all.
static_assert(
    all_of<cn::darts_cell, edge_budget<keep<0, nodes<2>>, keep<3, nodes<3>>, keep<1, nodes<4, 5>>>>.kept_sets ==
    0);
static_assert(dense_agrees<2, 4, edge_budget<keep<0, nodes<2>>, keep<3, nodes<3>>, keep<1, nodes<4, 5>>>>);
static_assert(dense_agrees<2, 4, edge_budget<keep<0, nodes<2, 3, 4, 5>>>>);
// One input; one node; three nodes.
static_assert(dense_agrees<1, 4, edge_budget<keep<1, nodes<1, 2>>, keep<1, nodes<3>>, keep<2, nodes<4>>>>);
static_assert(dense_agrees<1, 4, edge_budget<keep<2, nodes<1, 2, 3>>, keep<4, nodes<4>>>>);
static_assert(dense_agrees<2, 1, edge_budget<keep<1, nodes<2>>>>);
static_assert(dense_agrees<2, 3, edge_budget<keep<2, nodes<2, 3, 4>>>>);

// Sparse graphs: node 3 hangs on node 2 alone; node 4 on node 3 alone.
struct chain {
  static constexpr int inputs = 2;
  static constexpr int nodes = 4;
  static constexpr std::array edges{edge{0, 2}, edge{1, 2}, edge{2, 3}, edge{3, 4}, edge{0, 5}, edge{4, 5}};
  using ops = cn::darts_ops;
  static constexpr auto output = cn::cell_output::concat;
  static constexpr auto layout = cn::skeleton::stacked;
};
static_assert(agrees<chain, cn::keep_all>());
static_assert(
    agrees<chain, edge_budget<keep<1, nodes<2>>, keep<1, nodes<3>>, keep<1, nodes<4>>, keep<1, nodes<5>>>>());
static_assert(agrees<chain, edge_budget<keep<1, nodes<2, 3>>, keep<1, nodes<4, 5>>>>());
static_assert(agrees<chain, edge_budget<keep<2, nodes<2, 3>>, keep<1, nodes<4, 5>>>>());
static_assert(agrees<chain, edge_budget<keep<0, nodes<2, 3, 4>>, keep<1, nodes<5>>>>());
// The chain 2 -> 3 -> 4 cannot live where node 2 keeps nothing; only 0 -> 5 is left.
static_assert(by_library<chain, edge_budget<keep<0, nodes<2, 3, 4>>, keep<1, nodes<5>>>>().possible ==
              1U << 4);

// The last node is the output: sets in which it is dead do not count.
using last = dense_cell<1, 3, cn::darts_ops, cn::cell_output::last>;
using last_joint = edge_budget<keep<1, nodes<1, 2, 3>>>;
static_assert(agrees<last, last_joint>());
static_assert(all_of<last, last_joint>.kept_sets == 1 && by_library<last, last_joint>().possible == 1U << 3);
static_assert(agrees<last, edge_budget<keep<2, nodes<1, 2, 3>>>>());
static_assert(agrees<last, edge_budget<keep<1, nodes<1>>, keep<1, nodes<2, 3>>>>());
static_assert(all_of<last, edge_budget<keep<1, nodes<1, 2>>, keep<0, nodes<3>>>>.kept_sets == 0);
static_assert(agrees<last, edge_budget<keep<1, nodes<1, 2>>, keep<0, nodes<3>>>>());
// The same graph under concat has more.
static_assert(all_of<dense_cell<1, 3, cn::darts_ops>, last_joint>.kept_sets == 3);
