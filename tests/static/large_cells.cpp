// Cells far larger than the paper's are read at compile time, on every compiler within its own bounds.
#include <array>
#include <crispnas/spec.hpp>

namespace cn = crispnas;

struct wide : cn::spec<cn::dense_cell<2, 9, cn::darts_ops>> {};
static_assert(cn::edges_v<wide> == 54 && cn::kept_edges_v<wide> == 54 && cn::present_edges_v<wide> == 54,
              "dense_cell<2, 9>: all edges are kept by default");

struct mostly_joint
    : cn::spec<cn::dense_cell<2, 9, cn::darts_ops>,
               cn::edge_budget<cn::keep<3, cn::nodes<2, 3, 4, 5, 6, 7, 8, 9>>, cn::keep<1, cn::nodes<10>>>> {
};
static_assert(cn::kept_edges_v<mostly_joint> == 4, "eight nodes share three edges");

/// Sixteen nodes, each of which reads the two states before it.
struct chain {
  static constexpr int inputs = 2;
  static constexpr int nodes = 16;
  static constexpr auto edges = [] {
    std::array<cn::edge, 32> all{};
    for (int n = 0; n < 16; ++n) {
      all[static_cast<std::size_t>(2 * n)] = {n, n + 2};
      all[static_cast<std::size_t>(2 * n + 1)] = {n + 1, n + 2};
    }
    return all;
  }();
  using ops = cn::darts_ops;
  static constexpr auto output = cn::cell_output::concat;
  static constexpr auto layout = cn::skeleton::stacked;
};
struct long_one : cn::spec<chain> {};
static_assert(cn::kept_edges_v<long_one> == 32, "sixteen nodes of two edges");
