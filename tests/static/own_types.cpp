// Does a user's own op, cell graph, budget, schedule and regularizer work without touching the library?
#include <array>
#include <crispnas/spec.hpp>
#include <string_view>

namespace cn = crispnas;

namespace mine {

struct blur {
  static constexpr std::string_view name = "blur";
};
struct short_name {
  static constexpr const char* name = "s";
};

// Two inputs, three nodes, no edge from the first input to the last node. No slot: it is known by its
// members.
struct graph {
  static constexpr int inputs = 2;
  static constexpr int nodes = 3;
  static constexpr std::array edges{cn::edge{0, 2}, cn::edge{1, 2}, cn::edge{0, 3},
                                    cn::edge{2, 3}, cn::edge{1, 4}, cn::edge{3, 4}};
  using ops = cn::op_set<blur, cn::ops::skip_connect, short_name>;
  static constexpr auto output = cn::cell_output::concat;
  static constexpr auto layout = cn::skeleton::stacked;
};

struct sine {
  static double at(int epoch, int epochs) { return 0.5 * epoch / epochs; }
};

struct sparsity {
  using slot = cn::slots::regularizer;
  static constexpr bool has_edge_term = false;
};

// A budget by a rule instead of a list: the first node keeps one edge, every other two.
struct growing {
  using slot = cn::slots::edge_budget;
  using normal = growing;
  using reduction = growing;
  template <class Cell>
  static constexpr auto groups() {
    auto groups = cn::keep_all::groups<Cell>();
    for (auto& group : groups) group.kept = 2;
    groups[0].kept = 1;
    return groups;
  }
};

struct third_of_channels {
  using slot = cn::slots::channels;
  static constexpr int value = 3;
};

}  // namespace mine

static_assert(cn::operation<mine::blur> && !cn::operation<mine::graph>);
static_assert(cn::cell_graph<mine::graph> && !cn::cell_graph<mine::blur>);
static_assert(cn::schedule<mine::sine> && !cn::schedule<mine::blur>);
static_assert(cn::regularizer<mine::sparsity> && !cn::regularizer<mine::sine>);

struct own : cn::spec<mine::sparsity, mine::graph, mine::third_of_channels, cn::no_edge_weights,
                      cn::edge_budget<cn::keep<1, cn::nodes<2, 4>>, cn::keep<1, cn::nodes<3>>>> {};
static_assert(cn::search_spec<own> && !cn::search_spec<mine::graph>);
static_assert(cn::edges_v<own> == 6 && cn::kept_edges_v<own> == 2 && cn::table_v<own>.partial == 3);
static_assert(cn::table_v<own>.op_names[0] == "blur" && cn::table_v<own>.op_names[2] == "s");
static_assert(cn::table_v<own>.normal.states() == 5 &&
              cn::table_v<own>.choice == cn::edge_choice_rule::strongest_op);

// Without a budget there is nothing to choose in a graph that is not DARTS's.
static_assert(cn::kept_edges_v<cn::spec<mine::graph>> == 6);

struct ruled : cn::spec<cn::darts_cell, mine::growing, cn::da2s<cn::lambda_1<mine::sine>>> {};
static_assert(cn::kept_edges_v<ruled> == 7 && cn::present_edges_v<ruled> == 14);
static_assert(std::is_same_v<ruled::regularizer::op, mine::sine>);
static_assert(std::is_same_v<ruled::regularizer::c, cn::schedules::linear>);
// A user's budget is held to the cell as well as the library's: where it fits, the spec keeps it.
static_assert(std::is_same_v<ruled::budget, mine::growing>);
