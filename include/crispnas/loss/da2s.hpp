// Equations 2 to 7: how far is the super-network from any sub-network that the budget allows?
#pragma once

#include <crispnas/loss/entropy.hpp>
#include <crispnas/loss/regularizer.hpp>
#include <crispnas/loss/terms.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/supernet/architecture.hpp>
#include <vector>

namespace crispnas {

/// |sum of the positive ones - target|^2 along the last dimension (the second half of equation 4).
/// values: [..., candidates]; an entry counts where it is positive, so masked ones are passed as 0.
inline at::Tensor target_distance(const at::Tensor& values, double target) {
  return ((values * (values > 0)).sum(-1) - target).square();
}

/// L_O of equation 3 over the edges that exist, of all cell types: the sum of equation 2. Where k > 1 operations are kept on an
/// edge, equation 4 applied to the operations of the edge.
inline at::Tensor op_entropy(const architecture& arch) {
  const space_table& space = arch.space();
  at::Tensor sum;
  for (int type = 0; type < arch.cell_types(); ++type) {
    at::Tensor alpha = arch.alpha(type);
    if (space.ops_per_edge > 1) alpha = nn::bounded(alpha, std::nullopt, 1.0);
    const cell_table& cell = space.cell(type);
    const at::Tensor present = detail::edge_mask(cell.present, cell.edges.size(), alpha);
    at::Tensor part = (softmax_entropy(alpha, 1) * present).sum();
    if (space.ops_per_edge > 1) part = part + (target_distance(alpha, space.ops_per_edge) * present).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

/// The two halves of L_E, equations 4 and 5, summed over the groups that have something to choose, of all cell types.
struct edge_terms {
  at::Tensor entropy;
  at::Tensor distance;
};

/// The entropy is that of an edge's share of its group: softmax of beta, times the mass of the source where the spec lets shares
/// feel it. The distance is that of the sum of the positive betas to the number of edges to keep.
inline edge_terms edge_entropy(const architecture& arch) {
  const space_table& space = arch.space();
  edge_terms terms{at::zeros({}, arch.alpha(0).options()), at::zeros({}, arch.alpha(0).options())};
  for (int type = 0; type < arch.cell_types(); ++type) {
    if (!space.has_edge_weights()) break;
    const cell_table& cell = space.cell(type);
    const at::Tensor beta = capped(space, arch.beta(type));
    const at::Tensor shares = edge_shares(space, cell, arch.beta(type));
    for (const auto& group : cell.groups) {
      if (!detail::has_choice(cell, group)) continue;
      const at::Tensor members = detail::edge_mask(group.edges & cell.present, cell.edges.size(), beta);
      terms.entropy = terms.entropy + entropy_of_shares(shares * members);
      terms.distance = terms.distance + target_distance(beta * members, group.kept);
    }
  }
  return terms;
}

/// lambda_c (lambda_1 L_O + 4 lambda_2 L_E), equation 7 with the paper's lambda_alpha and lambda_beta.
template <class... Factors>
struct regularizer_terms<da2s<Factors...>> {
  static loss_terms at(const architecture& arch, int epoch, int epochs) {
    using policy = da2s<Factors...>;
    const double c = policy::c::at(epoch, epochs);
    const double op = c * policy::op::at(epoch, epochs);
    const double edge = c * 4.0 * policy::edge::at(epoch, epochs);
    const auto edges = edge_entropy(arch);
    return {{"op_entropy", op_entropy(arch), op},
            {"edge_entropy", edges.entropy, edge},
            {"target_distance", edges.distance, edge}};
  }
};

/// 0.1 lambda_c (lambda_1 L_O + 4 L_E), the distance with a factor of 0.2: none of the three is in the paper.
template <>
struct regularizer_terms<da2s_authors_code> {
  static loss_terms at(const architecture& arch, int epoch, int epochs) {
    const double c = 0.1 * da2s_authors_code::c::at(epoch, epochs);
    at::Tensor ops;
    for (const auto& alpha : arch.alphas()) {
      const at::Tensor part = softmax_entropy(authors_alpha(alpha), 1).sum();
      ops = ops.defined() ? ops + part : part;
    }
    const auto edges = edge_entropy(arch);
    return {{"op_entropy", ops, c * da2s_authors_code::op::at(epoch, epochs)},
            {"edge_entropy", edges.entropy, c * 4.0},
            {"target_distance", edges.distance, c * 4.0 * 0.2}};
  }
};

}  // namespace crispnas
