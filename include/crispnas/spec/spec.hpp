// What is the question? One type: search space, budgets, regularizer and the choices between them. Everything
// else follows.
#pragma once

#include <array>
#include <bit>
#include <crispnas/spec/checks.hpp>
#include <crispnas/spec/contract.hpp>
#include <crispnas/spec/policies.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/spec/table.hpp>
#include <cstddef>
#include <type_traits>

namespace crispnas {

namespace detail {

template <class T>
struct slot_of_policy {
  using type = void;
};
template <class T>
requires requires { typename T::slot; }
struct slot_of_policy<T> {
  using type = typename T::slot;
};
/// A cell graph needs no slot of its own: it is recognized by its members.
template <class T>
requires(!requires { typename T::slot; } && cell_graph<T>) struct slot_of_policy<T> {
  using type = slots::space;
};
template <class T>
using slot_of = typename slot_of_policy<T>::type;

template <class Slot, class Default, class... Policies>
struct pick {
  using type = Default;
};
template <class Slot, class Default, class First, class... Rest>
struct pick<Slot, Default, First, Rest...> {
  using type = typename std::conditional_t<std::is_same_v<slot_of<First>, Slot>, std::type_identity<First>,
                                           pick<Slot, Default, Rest...>>::type;
};

/// The policy of a slot. One that does not keep the contract of its slot has been reported; the default
/// stands in for it, so that one mistake gives one error.
template <class Slot, class Default, class... Policies>
using sound_pick = std::conditional_t<contract<Slot, typename pick<Slot, Default, Policies...>::type>::met,
                                      typename pick<Slot, Default, Policies...>::type, Default>;

template <class Policy>
concept is_a_policy = !std::is_void_v<slot_of<Policy>>;

template <class Policy>
struct require_policy {
  static_assert(
      is_a_policy<Policy>,
      "crispnas::spec: this type is no policy. A policy names the question that it answers: using slot = "
      "crispnas::slots::...; a cell graph has inputs, nodes, edges, ops, output, layout. An op belongs into "
      "an op_set, an "
      "op_set into a cell (dense_cell<2, 4, op_set<...>>), a keep into an edge_budget.");
};

template <class A, class B>
concept answer_different_questions = std::is_void_v<slot_of<A>> || !std::is_same_v<slot_of<A>, slot_of<B>>;

template <class A, class B>
struct require_different_slots {
  static_assert(answer_different_questions<A, B>,
                "crispnas::spec: two policies answer the same question. Take one of them out.");
};

template <class...>
struct check_policies {};
template <class First, class... Rest>
struct check_policies<First, Rest...> : check_policies<Rest...> {
  static_assert(sizeof(require_policy<First>) > 0, "crispnas::spec: see the note.");
  static_assert(sizeof(typename contract<slot_of<First>, First>::report) > 0,
                "crispnas::spec: see the note.");
  static_assert(((sizeof(require_different_slots<First, Rest>) > 0) && ...), "crispnas::spec: see the note.");
};

}  // namespace detail

/// Derive a named struct from it: `struct mine : spec<darts_cell, edges_4_of_14, da2s<>> {};`. Policies come
/// in any order, each answers the question of its slot (spec/slot.hpp); what is not named is the paper's
/// choice.
template <class... Policies>
struct spec {
  // The policies themselves are completed first: what is wrong inside of one is said there, once.
  static_assert(((sizeof(Policies) > 0) && ...), "crispnas::spec: see the note.");
  static_assert(sizeof(detail::check_policies<Policies...>) > 0, "crispnas::spec: see the note.");

 private:
  using named_cell = detail::sound_pick<slots::space, darts_cell, Policies...>;
  template <class Slot, class Default>
  using choice = detail::sound_pick<Slot, Default, Policies...>;

 public:
  static_assert(sizeof(detail::check_cell<named_cell>) > 0, "crispnas::spec: see the note.");
  using cell = std::conditional_t<detail::cell_facts<named_cell>::met, named_cell, darts_cell>;
  using ops = typename cell::ops;
  using channels =
      choice<slots::channels,
             std::conditional_t<cell::layout == skeleton::stacked, partial_channels<4>, partial_channels<1>>>;

 private:
  static constexpr bool is_darts_graph = cell::inputs == 2 && cell::nodes == 4 && cell::edges.size() == 14;
  using named_budget =
      choice<slots::edge_budget, std::conditional_t<is_darts_graph, edges_8_of_14, keep_all>>;

 public:
  // A budget for a cell that has been reported is not looked at.
  static_assert(sizeof(detail::check_budget<
                       cell, std::conditional_t<std::is_same_v<cell, named_cell>, named_budget, keep_all>>) >
                    0,
                "crispnas::spec: see the note.");
  using budget = std::conditional_t<detail::budget_is_met<cell, named_budget>(), named_budget, keep_all>;
  using kept_ops = choice<slots::op_budget, op_budget<1>>;
  using threshold = choice<slots::op_threshold, op_threshold<0>>;
  using op_weights = choice<slots::op_weights, softmax_ops>;
  using beta_owner = choice<slots::beta_owner, own_betas>;
  using edge_weights = choice<slots::edge_weights, softmax_times_kept>;
  using beta_cap = choice<slots::beta_cap, clamped_beta>;
  using liveness = choice<slots::liveness, live_sources_in_joint_groups>;
  using edge_choice =
      choice<slots::edge_choice, std::conditional_t<edge_weights::rule == edge_weight_rule::none,
                                                    by_strongest_op, by_edge_weight>>;
  using regularizer = choice<slots::regularizer, da2s<>>;

  // An empty op set has been reported by op_set.
  static_assert(sizeof(detail::require_enough_ops < ops::size == 0 ? 0 : kept_ops::value, ops::size >) > 0,
                "crispnas::spec: see the note.");
  static_assert(
      sizeof(detail::require_a_genotype<kept_ops::value * detail::most_kept_edges<cell, budget>()>) > 0,
      "crispnas::spec: see the note.");
  static_assert(sizeof(detail::require_weights_for_edge_term<regularizer, edge_weights>) > 0,
                "crispnas::spec: see the note.");
};

/// A type that answers every question: `spec<...>` or a struct derived from it.
template <class T>
concept search_spec = requires {
  typename T::cell;
  typename T::budget;
  typename T::regularizer;
  typename T::edge_weights;
};

namespace detail {

template <class Cell, class Budget>
struct cell_data {
  static constexpr auto edges = Cell::edges;
  static constexpr auto groups = Budget::template groups<Cell>();
  static constexpr std::uint64_t present = possible_edges_of<Cell, Budget>();
  static constexpr cell_table table{Cell::inputs, Cell::nodes, edges, present, groups, Cell::output};
};

template <class Spec>
constexpr space_table make_table() {
  space_table table;
  table.op_names = Spec::ops::names;
  table.normal = cell_data<typename Spec::cell, typename Spec::budget::normal>::table;
  table.reduction = cell_data<typename Spec::cell, typename Spec::budget::reduction>::table;
  table.layout = Spec::cell::layout;
  table.partial = Spec::channels::value;
  table.ops_per_edge = Spec::kept_ops::value;
  table.op_threshold = Spec::threshold::value;
  table.op_rule = Spec::op_weights::rule;
  table.swapped_betas = Spec::beta_owner::swapped;
  table.weights = Spec::edge_weights::rule;
  table.cap = Spec::beta_cap::rule;
  table.liveness = Spec::liveness::rule;
  table.choice = Spec::edge_choice::rule;
  return table;
}

}  // namespace detail

/// The spec as plain data.
template <search_spec Spec>
inline constexpr space_table table_v = detail::make_table<Spec>();

/// The tables of a cell under another budget, to cut one super-network to several budgets.
template <class Cell, class Budget>
struct budget_tables {
  static_assert(sizeof(detail::check_budget<Cell, Budget>) > 0, "crispnas::edge_budget: see the note.");
  using budget = std::conditional_t<detail::budget_is_met<Cell, Budget>(), Budget, keep_all>;
  static constexpr cell_table normal = detail::cell_data<Cell, typename budget::normal>::table;
  static constexpr cell_table reduction = detail::cell_data<Cell, typename budget::reduction>::table;
};

/// Edges of the cell; edges that exist in the super-network; edges to keep (both of the normal cell).
template <search_spec Spec>
inline constexpr int edges_v = static_cast<int>(Spec::cell::edges.size());
template <search_spec Spec>
inline constexpr int present_edges_v = std::popcount(table_v<Spec>.normal.present);
template <search_spec Spec>
inline constexpr int kept_edges_v = table_v<Spec>.normal.kept();

/// The methods that are compared. Each takes further policies (a budget, partial channels, another space).
/// DARTS as published is darts_spec<partial_channels<1>>; without that it shares the K = 4 of what it is
/// compared with.
template <class... Policies>
using darts_spec = spec<no_edge_weights, no_regularizer, ignore_liveness, Policies...>;
/// The authors' published code, its departures from the paper and its bugs included; for parity.
using authors_code_spec =
    spec<darts_cell, partial_channels<1>, edges_8_of_14, softmax_times_in_degree, clamped_beta,
         ignore_liveness, authors_softmax_ops, swapped_betas, by_beta, da2s_authors_code>;
/// FairDARTS as published is fair_darts_spec<partial_channels<1>>: its parse method `threshold_sparse`; with keep_all and
/// op_budget<2>, `threshold_edge`.
template <class... Policies>
using fair_darts_spec =
    spec<no_edge_weights, sigmoid_ops, op_threshold<85>, separation<>, ignore_liveness, Policies...>;
template <class... Policies>
using pc_darts_spec = spec<softmax, uncapped_beta, by_product, no_regularizer, ignore_liveness, Policies...>;

}  // namespace crispnas
