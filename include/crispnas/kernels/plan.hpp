// What do the kernels compute for a state? Units (a convolution and its batch norm) and terms (what an edge
// adds up). The compiler makes this plan from the tables of a spec; the same functions make it at run time
// for edges that no spec knows. No tensors, no sizes, no device: those are bound to it later (bind.hpp).
#pragma once

#include <array>
#include <crispnas/spec/spec.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace crispnas::kernels {

/// Operations with a fused form (definitions: the DARTS and NAS-Bench-201 search spaces, convolutions without
/// affine norms).
enum class op_kind : std::uint8_t {
  none,
  max_pool_3x3,
  avg_pool_3x3,
  skip_connect,
  sep_conv_3x3,
  sep_conv_5x5,
  sep_conv_7x7,
  dil_conv_3x3,
  dil_conv_5x5,
  nor_conv_1x1,
  nor_conv_3x3,
};

namespace detail {

/// Tags in the order of their kinds.
template <class... Ops>
struct fused_ops {
  static constexpr std::array<std::string_view, sizeof...(Ops)> names{Ops::name...};
  /// The kind of a tag. A tag of one's own has none, whatever its name.
  template <class Op>
  static constexpr std::optional<op_kind> kind_of() {
    constexpr std::array<bool, sizeof...(Ops)> same{std::is_same_v<Op, Ops>...};
    for (std::size_t i = 0; i < same.size(); ++i) {
      if (same[i]) return static_cast<op_kind>(i);
    }
    return std::nullopt;
  }
};
using all_fused_ops = fused_ops<ops::none, ops::max_pool_3x3, ops::avg_pool_3x3, ops::skip_connect,
                                ops::sep_conv_3x3, ops::sep_conv_5x5, ops::sep_conv_7x7, ops::dil_conv_3x3,
                                ops::dil_conv_5x5, ops::nor_conv_1x1, ops::nor_conv_3x3>;
static_assert(
    all_fused_ops::names.size() == static_cast<std::size_t>(op_kind::nor_conv_3x3) + 1,
    "crispnas::kernels: op_kind and all_fused_ops must list the same operations in the same order.");

}  // namespace detail

/// The operation of a published name, if it has a fused form.
constexpr std::optional<op_kind> find_op(std::string_view name) {
  constexpr auto& names = detail::all_fused_ops::names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<op_kind>(i);
  }
  return std::nullopt;
}

/// Whether an operation has a fused form at this stride.
constexpr bool is_fused(std::optional<op_kind> kind, int stride) {
  return kind.has_value() && (stride == 1 || *kind != op_kind::nor_conv_3x3);
}

/// How a unit reads its input.
enum class gather : std::uint8_t {
  depthwise,  ///< a depthwise convolution, then a pointwise one
  sampled,    ///< a pointwise convolution of one sampling grid, or of the two of a factorized reduction
  dense,      ///< a convolution over all channels
};

/// A convolution of an op and the batch norm behind it. Indices count within the state.
struct unit_plan {
  gather kind = gather::depthwise;
  bool last = true;  ///< its norm is what the edge adds up
  int edge = 0;
  int op = 0;
  int half = 0;     ///< of a separable convolution: which of the op's weights and norms
  int parent = -1;  ///< the unit whose normalized, rectified output it reads; -1: the rectified state
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int grids = 1;
  constexpr int padding() const { return dilation * (kernel - 1) / 2; }
  bool operator==(const unit_plan&) const = default;
};

/// Where what an edge adds up comes from.
enum class source : std::uint8_t { unit, maximum, average, identity };

/// op weight * norm(source)
struct term_plan {
  source from = source::unit;
  bool normalized = true;
  int edge = 0;
  int op = 0;
  int unit = -1;
  bool operator==(const term_plan&) const = default;
};

/// An edge that leaves the state.
struct edge_plan {
  int row = 0;     ///< of the op weights and edge weights
  int target = 0;  ///< node
};

/// An op without a fused form: LibTorch's operations compute it.
struct stock_op {
  int edge = 0;
  int op = 0;
};

/// The plan of one state. Views of storage that outlives it. Units and terms in the order of edges, then ops.
struct state_plan {
  int stride = 1;
  std::span<const edge_plan> edges;
  std::span<const unit_plan> units;
  std::span<const term_plan> terms;
  std::span<const stock_op> stock;
};

namespace detail {

/// Adds the units and the term of one op to lists that have push_back.
template <class Lists>
constexpr void plan_op(Lists& to, int edge, int op, op_kind kind, int stride, bool normalized_pools) {
  const auto unit = [&](unit_plan u) {
    u.edge = edge;
    u.op = op;
    to.units.push_back(u);
    if (u.last) to.terms.push_back({source::unit, true, edge, op, static_cast<int>(to.units.size()) - 1});
  };
  const auto separable = [&](int kernel) {
    unit({.last = false, .kernel = kernel, .stride = stride});
    unit({.half = 1, .parent = static_cast<int>(to.units.size()) - 1, .kernel = kernel});
  };
  switch (kind) {
    case op_kind::none:
      break;
    case op_kind::max_pool_3x3:
      to.terms.push_back({source::maximum, normalized_pools, edge, op, -1});
      break;
    case op_kind::avg_pool_3x3:
      to.terms.push_back({source::average, normalized_pools, edge, op, -1});
      break;
    case op_kind::skip_connect:
      if (stride == 1) {
        to.terms.push_back({source::identity, false, edge, op, -1});
      } else {
        unit({.kind = gather::sampled, .stride = stride, .grids = 2});
      }
      break;
    case op_kind::sep_conv_3x3:
      separable(3);
      break;
    case op_kind::sep_conv_5x5:
      separable(5);
      break;
    case op_kind::sep_conv_7x7:
      separable(7);
      break;
    case op_kind::dil_conv_3x3:
      unit({.kernel = 3, .stride = stride, .dilation = 2});
      break;
    case op_kind::dil_conv_5x5:
      unit({.kernel = 5, .stride = stride, .dilation = 2});
      break;
    case op_kind::nor_conv_1x1:
      unit({.kind = gather::sampled, .stride = stride});
      break;
    case op_kind::nor_conv_3x3:
      unit({.kind = gather::dense, .kernel = 3, .stride = stride});
      break;
  }
}

/// A vector of fixed capacity, for the compiler.
template <class T, std::size_t Capacity>
struct fixed_list {
  std::array<T, Capacity == 0 ? 1 : Capacity> values{};
  std::size_t count = 0;
  constexpr void push_back(const T& value) { values[count++] = value; }
  constexpr std::size_t size() const { return count; }
};

template <class Edges, class Units, class Terms, class Stock>
struct plan_lists {
  Edges edges;
  Units units;
  Terms terms;
  Stock stock;
};

/// The kinds of an op set's tags.
template <class OpSet>
struct kinds_of;
template <template <class...> class Set, class... Ops>
struct kinds_of<Set<Ops...>> {
  static constexpr std::array<std::optional<op_kind>, sizeof...(Ops)> value{all_fused_ops::kind_of<Ops>()...};
};

/// The edges of a cell that leave `state` and exist, with all ops.
template <class Lists>
constexpr void plan_edges(Lists& to, const cell_table& cell, int state,
                          std::span<const std::optional<op_kind>> ops, int stride, bool normalized_pools) {
  int next = 0;
  for (std::size_t e = 0; e < cell.edges.size(); ++e) {
    if (cell.edges[e].from != state || !cell.has(e)) continue;
    to.edges.push_back({static_cast<int>(e), cell.edges[e].to - cell.inputs});
    for (std::size_t o = 0; o < ops.size(); ++o) {
      const int op = static_cast<int>(o);
      if (is_fused(ops[o], stride)) {
        plan_op(to, next, op, *ops[o], stride, normalized_pools);
      } else {
        to.stock.push_back({next, op});
      }
    }
    ++next;
  }
}

/// The plan of one state, in storage of its own. A budget that leaves the same edges has the same plan.
template <class Cell, std::uint64_t Present, int State, int Stride>
class planned_state {
  static constexpr auto edges_of_cell = Cell::edges;
  static constexpr cell_table table{Cell::inputs, Cell::nodes, edges_of_cell, Present, {}, Cell::output};
  static constexpr std::size_t most_edges = Cell::edges.size();
  static constexpr auto kinds = kinds_of<typename Cell::ops>::value;
  static constexpr std::size_t most_terms = most_edges * kinds.size();

  static constexpr auto make() {
    plan_lists<fixed_list<edge_plan, most_edges>, fixed_list<unit_plan, 2 * most_terms>,
               fixed_list<term_plan, most_terms>, fixed_list<stock_op, most_terms>>
        made;
    plan_edges(made, table, State, kinds, Stride, Cell::layout == skeleton::stacked);
    return made;
  }
  template <std::size_t Count, class T, std::size_t Capacity>
  static constexpr auto exactly(const fixed_list<T, Capacity>& list) {
    std::array<T, Count> values{};
    for (std::size_t i = 0; i < Count; ++i) values[i] = list.values[i];
    return values;
  }
  static constexpr auto lists = make();
  static constexpr auto edges = exactly<lists.edges.count>(lists.edges);
  static constexpr auto units = exactly<lists.units.count>(lists.units);
  static constexpr auto terms = exactly<lists.terms.count>(lists.terms);
  static constexpr auto stock = exactly<lists.stock.count>(lists.stock);

 public:
  static constexpr state_plan plan{Stride, edges, units, terms, stock};
};

/// The plans of all states of a cell. Edges from the inputs of a cell that reduces have stride 2.
template <class Cell, std::uint64_t Present, bool Reduces,
          class = std::make_integer_sequence<int, Cell::inputs + Cell::nodes>>
struct planned_cell;
template <class Cell, std::uint64_t Present, bool Reduces, int... States>
struct planned_cell<Cell, Present, Reduces, std::integer_sequence<int, States...>> {
  static constexpr int stride_of(int state) { return Reduces && state < Cell::inputs ? 2 : 1; }
  static constexpr std::array<state_plan, sizeof...(States)> states{
      planned_state<Cell, Present, States, stride_of(States)>::plan...};
};

}  // namespace detail

/// The plans of a network's cells: [states] of each cell type.
struct network_plan {
  std::span<const state_plan> normal;
  std::span<const state_plan> reduction;
};

/// What the kernels compute for a spec.
template <search_spec Spec>
inline constexpr network_plan plan_v{
    detail::planned_cell<typename Spec::cell, table_v<Spec>.normal.present, false>::states,
    detail::planned_cell<typename Spec::cell, table_v<Spec>.reduction.present,
                         Spec::cell::layout == skeleton::stacked>::states};

}  // namespace crispnas::kernels
