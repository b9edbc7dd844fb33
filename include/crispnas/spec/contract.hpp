// What must a policy have to answer the question of its slot? One contract per slot; a user's own policy is
// held to it. `met` is the verdict, `report` the class whose static_assert tells the user.
#pragma once

#include <concepts>
#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <crispnas/spec/policies.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/spec/slot.hpp>

namespace crispnas::detail {

template <class P>
concept has_a_value = requires {
  { P::value } -> std::convertible_to<int>;
};
template <class P, class Rule>
concept has_a_rule_of = requires {
  { P::rule } -> std::convertible_to<Rule>;
};
template <class P>
concept says_whose_betas = requires {
  { P::swapped } -> std::convertible_to<bool>;
};
template <class P>
concept is_a_cell_graph = cell_graph<P>;
template <class P>
concept is_a_regularizer = regularizer<P>;

template <class P, class Rule>
struct rule_contract {
  static constexpr bool met = has_a_rule_of<P, Rule>;
  struct report {
    static_assert(has_a_rule_of<P, Rule>,
                  "crispnas::spec: this policy has no rule. Give it: static constexpr auto rule = ...; with "
                  "a value of its slot's "
                  "enumeration (spec/policies.hpp).");
  };
};

template <class P>
struct value_contract {
  static constexpr bool met = has_a_value<P>;
  struct report {
    static_assert(has_a_value<P>,
                  "crispnas::spec: this policy has no number. Give it: static constexpr int value = ...;");
  };
};

template <class Slot, class P>
struct contract {
  static constexpr bool met = true;
  struct report {};
};
template <class P>
struct contract<slots::space, P> {
  static constexpr bool met = is_a_cell_graph<P>;
  struct report {
    static_assert(is_a_cell_graph<P>,
                  "crispnas::spec: this type is no cell graph. A cell graph has inputs, nodes, edges, ops, "
                  "output, layout.");
  };
};
template <class P>
struct contract<slots::edge_budget, P> {
  static constexpr bool met = answers_the_edge_budget<P>;
  struct report {
    static_assert(answers_the_edge_budget<P>,
                  "crispnas::spec: this edge budget names no budgets for its two cell types. Give it: using "
                  "normal = ...; using "
                  "reduction = ...;");
  };
};
template <class P>
struct contract<slots::beta_owner, P> {
  static constexpr bool met = says_whose_betas<P>;
  struct report {
    static_assert(says_whose_betas<P>,
                  "crispnas::spec: this policy does not say whose betas are used. Give it: static constexpr "
                  "bool swapped = ...;");
  };
};
template <class P>
struct contract<slots::regularizer, P> {
  static constexpr bool met = is_a_regularizer<P>;
  struct report {
    static_assert(is_a_regularizer<P>,
                  "crispnas::spec: this regularizer does not say whether one of its terms is a function of "
                  "the edge weights. Give "
                  "it: static constexpr bool has_edge_term = ...;");
  };
};
template <class P>
struct contract<slots::channels, P> : value_contract<P> {};
template <class P>
struct contract<slots::op_budget, P> : value_contract<P> {};
template <class P>
struct contract<slots::op_threshold, P> : value_contract<P> {};
template <class P>
struct contract<slots::op_weights, P> : rule_contract<P, op_weight_rule> {};
template <class P>
struct contract<slots::edge_weights, P> : rule_contract<P, edge_weight_rule> {};
template <class P>
struct contract<slots::beta_cap, P> : rule_contract<P, beta_cap_rule> {};
template <class P>
struct contract<slots::liveness, P> : rule_contract<P, liveness_rule> {};
template <class P>
struct contract<slots::edge_choice, P> : rule_contract<P, edge_choice_rule> {};

}  // namespace crispnas::detail
