// What is searched? alpha (logits over ops) and beta (logits over edges) of each cell type. Not among the network's weights.
#pragma once

#include <array>
#include <crispnas/nn/layers.hpp>
#include <crispnas/spec/table.hpp>
#include <crispnas/supernet/weights.hpp>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

/// The weights of one cell type as the forward pass uses them.
struct cell_weights {
  at::Tensor ops;    ///< [edges, ops]
  at::Tensor edges;  ///< [edges]; undefined: every edge counts 1
  /// Where not empty: ops [edges * ops] whose weight is not zero; the others are skipped (a cut super-network).
  std::vector<char> used;
};
using network_weights = std::vector<cell_weights>;  ///< one per cell type

/// How far initial values scatter.
struct architecture_noise {
  double alpha = 1e-3;
  double beta = 1e-3;
};

class architecture {
 public:
  /// alpha starts at 0 (at k/|O| where k > 1 ops are kept), beta at K/n of its group, so that every edge is in the set
  /// B = {beta > 0} of equation 4 and the distance term begins at zero; both plus a little noise.
  architecture(const space_table& space, const nn::init_context& init, const architecture_noise& noise)
      : space_(space) {
    for (int type = 0; type < space.cell_types(); ++type) {
      const cell_table& cell = space.cell(type);
      const auto edges = static_cast<std::int64_t>(cell.edges.size());
      const auto ops = static_cast<std::int64_t>(space.op_names.size());
      const double start = space.ops_per_edge == 1 ? 0.0 : double(space.ops_per_edge) / double(ops);
      alpha_.push_back(init.normal({edges, ops}, start, noise.alpha).requires_grad_());
      if (!space.has_edge_weights()) continue;
      std::vector<double> mean(cell.edges.size(), 0.0);
      for (const auto& group : cell.groups) {
        const auto members = detail::present_members(cell, group);
        for (auto e : members)
          mean[static_cast<std::size_t>(e)] = double(group.kept) / double(members.size());
      }
      const at::Tensor center = at::tensor(mean, at::kDouble).to(init.device, init.dtype);
      beta_.push_back((center + init.normal({edges}, 0.0, noise.beta)).requires_grad_());
    }
  }

  const space_table& space() const { return space_; }
  int cell_types() const { return static_cast<int>(alpha_.size()); }
  /// [edges, ops] of a cell type (0 normal, 1 reduction).
  const at::Tensor& alpha(int type) const { return alpha_[static_cast<std::size_t>(type)]; }
  /// [edges]; undefined where edges have no weights.
  at::Tensor beta(int type) const {
    return beta_.empty() ? at::Tensor() : beta_[static_cast<std::size_t>(type)];
  }

  /// alpha, then beta, under published names.
  std::vector<std::pair<std::string, at::Tensor>> named() const {
    static constexpr std::array<const char*, 2> kinds{"normal", "reduce"};
    std::vector<std::pair<std::string, at::Tensor>> all;
    for (std::size_t t = 0; t < alpha_.size(); ++t)
      all.emplace_back(std::string("alphas_") + kinds[t], alpha_[t]);
    for (std::size_t t = 0; t < beta_.size(); ++t)
      all.emplace_back(std::string("betas_") + kinds[t], beta_[t]);
    return all;
  }
  const std::vector<at::Tensor>& alphas() const { return alpha_; }
  const std::vector<at::Tensor>& betas() const { return beta_; }

  /// The soft weights of every cell type, differentiable.
  network_weights weights() const { return weights_by(space_.swapped_betas); }

  /// The same without a gradient: for training the weights, and for evaluation.
  network_weights fixed_weights() const {
    at::NoGradGuard no_grad;
    return weights();
  }

  /// What the cut ranks ops and edges by: each cell type by its own betas, whichever the forward pass has used.
  network_weights ranking_weights() const {
    at::NoGradGuard no_grad;
    return weights_by(false);
  }

  /// After a step: what `projected_beta` asks for.
  void project() {
    at::NoGradGuard no_grad;
    if (space_.cap == beta_cap_rule::project) {
      for (auto& b : beta_) b.clamp_max_(1.0);
    }
  }

 private:
  network_weights weights_by(bool swapped) const {
    network_weights all;
    for (int type = 0; type < cell_types(); ++type) {
      // The authors' code lets each cell type see the betas of the other one; reproduced for parity only.
      const int source = swapped ? cell_types() - 1 - type : type;
      all.push_back(
          {op_weights(space_, alpha(type)), edge_weights(space_, space_.cell(source), beta(source)), {}});
    }
    return all;
  }

  space_table space_;
  std::vector<at::Tensor> alpha_;
  std::vector<at::Tensor> beta_;
};

}  // namespace crispnas
