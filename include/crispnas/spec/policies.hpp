// The small choices of a spec: share of channels, ops per edge, how beta becomes edge weights, what ranks
// edges at the cut.
#pragma once

#include <crispnas/spec/slot.hpp>
#include <cstdint>

namespace crispnas {

namespace detail {
template <int K>
concept is_positive = K >
0;
template <int Percent>
concept is_a_percentage = Percent >= 0 && Percent <= 100;
}  // namespace detail

/// Ops see 1/K of the channels, the others pass by and are shuffled in (PC-DARTS). K = 1: all channels.
template <int K>
struct partial_channels {
  using slot = slots::channels;
  static constexpr int value = K;
  static_assert(detail::is_positive<K>,
                "crispnas::partial_channels: K must be at least 1 (1 = all channels).");
};

/// Keep K operations on every kept edge; the paper's 1 by default ("can freely generalize to multiple
/// operations").
template <int K>
struct op_budget {
  using slot = slots::op_budget;
  static constexpr int value = K;
  static_assert(detail::is_positive<K>, "crispnas::op_budget: at least one operation is kept on an edge.");
};

/// How alpha becomes the weights of the ops of an edge.
enum class op_weight_rule : std::uint8_t { softmax, authors_code, sigmoid };

/// softmax of alpha (section 3.1).
struct softmax_ops {
  using slot = slots::op_weights;
  static constexpr auto rule = op_weight_rule::softmax;
};
/// The authors' code: alpha is doubled, and cubed below -1, before the softmax.
struct authors_softmax_ops {
  using slot = slots::op_weights;
  static constexpr auto rule = op_weight_rule::authors_code;
};

/// The sigmoid of each alpha: ops do not compete (FairDARTS).
struct sigmoid_ops {
  using slot = slots::op_weights;
  static constexpr auto rule = op_weight_rule::sigmoid;
};

/// At the cut an op stays only where its weight is at least Percent / 100, whatever the budgets would keep; an edge without an
/// op goes (FairDARTS: 85). 0: all stay. Made for sigmoid_ops: softmax weights fall with the number of ops.
template <int Percent>
struct op_threshold {
  using slot = slots::op_threshold;
  static constexpr int value = Percent;
  static_assert(detail::is_a_percentage<Percent>,
                "crispnas::op_threshold: a threshold is a percentage, from 0 (all ops stay) to 100.");
};

/// Normal cells use the betas of normal cells.
struct own_betas {
  using slot = slots::beta_owner;
  static constexpr bool swapped = false;
};
/// The authors' code: its forward pass exchanges the betas of normal and reduction cells. For parity only.
struct swapped_betas {
  using slot = slots::beta_owner;
  static constexpr bool swapped = true;
};

/// How beta becomes the weight of an edge. Each is a softmax over a group of the budget, times a constant.
enum class edge_weight_rule : std::uint8_t { none, softmax, softmax_times_in_degree, softmax_times_kept };

/// Edges have no weights: every edge counts 1 (DARTS).
struct no_edge_weights {
  using slot = slots::edge_weights;
  static constexpr auto rule = edge_weight_rule::none;
};
/// PC-DARTS: the softmax itself, also where nothing is to choose.
struct softmax {
  using slot = slots::edge_weights;
  static constexpr auto rule = edge_weight_rule::softmax;
};
/// The authors' code: times the number of edges in the group, which keeps the scale of an unweighted sum.
struct softmax_times_in_degree {
  using slot = slots::edge_weights;
  static constexpr auto rule = edge_weight_rule::softmax_times_in_degree;
};
/// Times the number of edges to keep: a crisp super-network ends at weight 1 per kept edge, as the cut leaves
/// it.
struct softmax_times_kept {
  using slot = slots::edge_weights;
  static constexpr auto rule = edge_weight_rule::softmax_times_kept;
};

/// Where beta is held at 1 (section 3.3: "constrain the maximum value of any beta to 1").
enum class beta_cap_rule : std::uint8_t { none, clamp, project };

struct uncapped_beta {
  using slot = slots::beta_cap;
  static constexpr auto rule = beta_cap_rule::none;
};
/// min(beta, 1) in the forward pass: no gradient above 1 (the authors' code).
struct clamped_beta {
  using slot = slots::beta_cap;
  static constexpr auto rule = beta_cap_rule::clamp;
};
/// beta itself is set back to 1 after each step: a beta at the cap still feels its gradient downwards.
struct projected_beta {
  using slot = slots::beta_cap;
  static constexpr auto rule = beta_cap_rule::project;
};

/// Whether an edge's share of its group falls with the life of its source (see supernet/weights.hpp), and
/// whether, where `none` can be kept, the cut leaves a path without it to the cell's output (see
/// discretize/cut.hpp).
enum class liveness_rule : std::uint8_t { none, joint_groups, always };

/// Shares depend on beta alone, whatever happens to the source; `none` may take every path (as published).
struct ignore_liveness {
  using slot = slots::liveness;
  static constexpr auto rule = liveness_rule::none;
};
/// Where the budget has a joint group, a node can die: shares are proportional to mass(source) * exp(beta).
struct live_sources_in_joint_groups {
  using slot = slots::liveness;
  static constexpr auto rule = liveness_rule::joint_groups;
};
struct live_sources {
  using slot = slots::liveness;
  static constexpr auto rule = liveness_rule::always;
};

/// What ranks the edges when the cell is cut.
enum class edge_choice_rule : std::uint8_t { edge_weight, strongest_op, product, beta };

/// By the edge weight (DA2S).
struct by_edge_weight {
  using slot = slots::edge_choice;
  static constexpr auto rule = edge_choice_rule::edge_weight;
};
/// By the weight of the edge's strongest op that is not `none` (DARTS).
struct by_strongest_op {
  using slot = slots::edge_choice;
  static constexpr auto rule = edge_choice_rule::strongest_op;
};
/// By the product of both (PC-DARTS).
struct by_product {
  using slot = slots::edge_choice;
  static constexpr auto rule = edge_choice_rule::product;
};

/// By beta itself, uncapped, of the cell type that is cut, whichever betas its forward pass uses (the authors' code).
struct by_beta {
  using slot = slots::edge_choice;
  static constexpr auto rule = edge_choice_rule::beta;
};

}  // namespace crispnas
