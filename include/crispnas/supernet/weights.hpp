// How do alpha and beta become weights? Softmax over the ops of an edge, softmax over the edges of a budget group; where a
// node can die, the shares of its outgoing edges fall with the mass that enters it.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <crispnas/nn/meta.hpp>
#include <crispnas/spec/table.hpp>
#include <cstdint>
#include <vector>

namespace crispnas {

namespace detail {

inline std::vector<std::int64_t> bits_of(std::uint64_t set) {
  std::vector<std::int64_t> members;
  for (; set != 0; set &= set - 1) members.push_back(std::countr_zero(set));
  return members;
}

/// The members of a group that exist in the super-network.
inline std::vector<std::int64_t> present_members(const cell_table& cell, const group_table& group) {
  return bits_of(group.edges & cell.present);
}

/// Whether the group has anything to choose: fewer edges are kept than exist.
inline bool has_choice(const cell_table& cell, const group_table& group) {
  return group.kept < std::popcount(group.edges & cell.present);
}

/// A node can die in this cell: some group spans several nodes.
inline bool has_joint_group(const cell_table& cell) {
  for (const auto& group : cell.groups) {
    if (std::popcount(group.nodes) > 1) return true;
  }
  return false;
}

/// Groups in the order in which their shares are known: by their first node.
inline std::vector<group_table> groups_in_order(const cell_table& cell) {
  std::vector<group_table> groups(cell.groups.begin(), cell.groups.end());
  std::sort(groups.begin(), groups.end(), [](const group_table& first, const group_table& second) {
    return std::countr_zero(first.nodes) < std::countr_zero(second.nodes);
  });
  return groups;
}

/// Whether the mass of some edge's source is not known before the share of the edge: the source is in the same group, or in a
/// later one (interleaved joint groups).
inline bool shares_depend_on_each_other(const cell_table& cell, const std::vector<group_table>& groups) {
  std::uint32_t known = (std::uint32_t{1} << cell.inputs) - 1U;
  for (const group_table& group : groups) {
    for (auto e : present_members(cell, group)) {
      if (!((known >> cell.edges[static_cast<std::size_t>(e)].from) & 1U)) return true;
    }
    known |= group.nodes;
  }
  return false;
}

/// A 0/1 vector over the edges: which are in `set`. Masks, not indices, so that meta tensors and devices need no host values.
inline at::Tensor edge_mask(std::uint64_t set, std::size_t edges, const at::Tensor& like) {
  std::vector<double> mask(edges, 0.0);
  for (auto e : bits_of(set)) mask[static_cast<std::size_t>(e)] = 1.0;
  return at::tensor(mask, at::kDouble).to(like.options());
}

/// [edges, states] with a 1 where the edge starts (or ends) at the state.
inline at::Tensor incidence(const cell_table& cell, int edge::*end, const at::Tensor& like) {
  const auto states = static_cast<std::size_t>(cell.states());
  std::vector<double> values(cell.edges.size() * states, 0.0);
  for (std::size_t e = 0; e < cell.edges.size(); ++e) {
    values[e * states + static_cast<std::size_t>(cell.edges[e].*end)] = 1.0;
  }
  return at::tensor(values, at::kDouble)
      .view({static_cast<std::int64_t>(cell.edges.size()), cell.states()})
      .to(like.options());
}

}  // namespace detail

/// beta as the forward pass sees it: held at 1 where the spec clamps it.
inline at::Tensor capped(const space_table& space, const at::Tensor& beta) {
  return space.cap == beta_cap_rule::clamp ? nn::bounded(beta, std::nullopt, 1.0) : beta;
}

/// The share of each edge in its group: [edges], each group of the budget sums to 1, absent edges have 0.
///
/// Plain: softmax of beta over the group (b of section 3.1). With liveness: proportional to mass(source) * exp(beta), where the
/// mass of a cell input is 1 and that of a node is the kept mass that enters it, at most 1. The edges of a dying node then
/// lose their share to living ones, instead of shrinking everything for the batch norm behind to undo. Groups are taken in order,
/// so that a source's mass is known before its edges are weighed. Where that cannot be (an edge inside of a joint group,
/// interleaved groups) the rule is repeated 8 times, towards the fixed point at which shares and masses fit together. Random
/// betas of deviation 2, held at 1, came within 0.02 of it; wilder ones and uncapped ones can stay further off (0.1, 0.6), or have
/// no fixed point that repeating finds.
/// beta: [edges].
inline at::Tensor edge_shares(const space_table& space, const cell_table& cell, const at::Tensor& beta) {
  constexpr double least_mass = 1e-6;  // keeps log(mass) finite; a share of 1e-6 is nothing
  const std::size_t edges = cell.edges.size();
  const at::Tensor b = capped(space, beta);
  const bool live = space.liveness == liveness_rule::always ||
                    (space.liveness == liveness_rule::joint_groups && detail::has_joint_group(cell));
  const at::Tensor from = live ? detail::incidence(cell, &edge::from, b) : at::Tensor();
  const at::Tensor to = live ? detail::incidence(cell, &edge::to, b) : at::Tensor();
  at::Tensor log_mass = at::zeros_like(b);  // of each edge's source; the cell's inputs have mass 1
  at::Tensor shares = at::zeros_like(b);    // [edges]

  const std::vector<group_table> groups = detail::groups_in_order(cell);
  const int passes = live && detail::shares_depend_on_each_other(cell, groups) ? 8 : 1;
  for (int pass = 0; pass < passes; ++pass) {
    shares = at::zeros_like(b);
    for (const group_table& group : groups) {
      const std::uint64_t members = group.edges & cell.present;
      if (group.kept == 0) continue;  // a group without members keeps none
      const at::Tensor outside = 1.0 - detail::edge_mask(members, edges, b);
      const at::Tensor share = at::softmax((b + log_mass).masked_fill(outside > 0.5, -INFINITY), 0);
      shares = shares + share;
      if (!live) continue;
      // The kept mass that enters each node of the group, at most 1, felt by the edges that leave it.
      const at::Tensor mass =
          nn::bounded(at::mv(to.t(), share * double(group.kept)), least_mass, 1.0);  // [states]
      std::uint64_t leaving = 0;
      for (std::size_t e = 0; e < edges; ++e) {
        if ((group.nodes >> cell.edges[e].from) & 1U) leaving |= std::uint64_t{1} << e;
      }
      const at::Tensor leave = detail::edge_mask(leaving, edges, b);
      log_mass = log_mass * (1.0 - leave) + at::mv(from, mass.log()) * leave;
    }
  }
  return shares;
}

/// The weight of each edge: its share times the constant that the spec names. [edges]; undefined where edges have no weights.
inline at::Tensor edge_weights(const space_table& space, const cell_table& cell, const at::Tensor& beta) {
  if (!space.has_edge_weights()) return {};
  std::vector<double> scale(cell.edges.size(), 1.0);
  std::vector<double> fixed(cell.edges.size(), 0.0);
  for (const group_table& group : cell.groups) {
    const auto members = detail::present_members(cell, group);
    // With nothing to choose every edge stays, at weight 1 (PC-DARTS's own softmax weighs even then).
    const bool settled = space.weights != edge_weight_rule::softmax && !detail::has_choice(cell, group);
    for (auto e : members) {
      const auto i = static_cast<std::size_t>(e);
      if (settled) {
        scale[i] = 0.0;
        fixed[i] = 1.0;
      } else if (space.weights == edge_weight_rule::softmax_times_in_degree) {
        scale[i] = double(members.size());
      } else if (space.weights == edge_weight_rule::softmax_times_kept) {
        scale[i] = double(group.kept);
      }
    }
  }
  const auto as_tensor = [&](const std::vector<double>& v) {
    return at::tensor(v, at::kDouble).to(beta.options());
  };
  return edge_shares(space, cell, beta) * as_tensor(scale) + as_tensor(fixed);
}

/// alpha as the authors' code sees it, in the forward pass and in the entropy: x = 2 alpha, cubed below -1.
inline at::Tensor authors_alpha(const at::Tensor& alpha) {
  const at::Tensor x = alpha * 2.0;
  const at::Tensor below = (x < -1.0).to(x.dtype());
  return x.pow(3) * below + x * (1.0 - below);
}

/// The weight of each op: [edges, ops], each row sums to the number of ops kept on an edge.
/// Under sigmoid_ops the sigmoid of each alpha, and no sum. One op: softmax of alpha. Several: as for edges, that many times the softmax of alpha held at 1.
inline at::Tensor op_weights(const space_table& space, const at::Tensor& alpha) {
  if (space.op_rule == op_weight_rule::authors_code) return at::softmax(authors_alpha(alpha), 1);
  if (space.op_rule == op_weight_rule::sigmoid) return at::sigmoid(alpha);
  if (space.ops_per_edge == 1) return at::softmax(alpha, 1);
  return at::softmax(nn::bounded(alpha, std::nullopt, 1.0), 1) * double(space.ops_per_edge);
}

}  // namespace crispnas
