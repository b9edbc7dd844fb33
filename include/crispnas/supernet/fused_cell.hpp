// The same cell through the fused kernels: reads the weights of a search_cell, computes in the blocked layout.
#pragma once

#include <algorithm>
#include <crispnas/error.hpp>
#include <crispnas/kernels/kernels.hpp>
#include <crispnas/spec/table.hpp>
#include <crispnas/supernet/search_cell.hpp>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace crispnas {

/// Whether the kernels compute anything of a plan but sums and copies of states.
inline bool has_fused_form(const kernels::network_plan& plan) {
  for (const auto& states : {plan.normal, plan.reduction}) {
    for (const auto& state : states) {
      for (const auto& term : state.terms) {
        if (term.from != kernels::source::identity) return true;
      }
    }
  }
  return false;
}

/// A view of a search_cell for the kernels. A state is a list of blocked tensors, read as their concatenation over channels.
/// Ops without a fused form go through LibTorch's operations and join the others in the nodes.
class fused_cell {
 public:
  using state = std::vector<at::Tensor>;

  /// plan: of each state of the cell.
  fused_cell(std::shared_ptr<search_cell> cell, const space_table& space,
             std::span<const kernels::state_plan> plan)
      : cell_(std::move(cell)), partial_(space.partial) {
    check(static_cast<int>(plan.size()) == cell_->table().states());
    std::size_t planned = 0;
    for (const auto& of_state : plan) planned += of_state.edges.size();
    check(planned ==
          static_cast<std::size_t>(std::count_if(cell_->mixed().begin(), cell_->mixed().end(),
                                                 [](const auto& mixed) { return mixed != nullptr; })));
    for (const auto& of_state : plan) {
      std::vector<kernels::mixed_edge> edges;
      for (std::size_t e = 0; e < of_state.edges.size(); ++e) {
        const auto row = static_cast<std::size_t>(of_state.edges[e].row);
        check(row < cell_->mixed().size() && cell_->mixed()[row] &&
              cell_->table().edges[row].to - cell_->table().inputs == of_state.edges[e].target);
        const auto& mixed = *cell_->mixed()[row];
        check(mixed.stride() == of_state.stride);
        kernels::mixed_edge edge{of_state.edges[e].target, {}};
        for (std::size_t o = 0; o < mixed.ops().size(); ++o) {
          kernels::op_params op;
          if (!is_stock(of_state, e, o)) {
            check(kernels::find_op(space.op_names[o]).has_value());
            op.kind = *kernels::find_op(space.op_names[o]);
            op.weights = mixed.ops()[o]->parameters();
            op.norms = norms_of(*mixed.ops()[o]);
          }
          edge.ops.push_back(std::move(op));
        }
        edges.push_back(std::move(edge));
      }
      states_.push_back(std::make_shared<kernels::state_edges>(of_state, std::move(edges), partial_));
    }
    for (const auto& part : cell_->modules()) {
      norm_ = norm_ ? norm_ : std::dynamic_pointer_cast<nn::batch_norm>(part);
    }
  }

  /// inputs: oldest first. Returns the nodes. batch: images, which the blocked tensors round up.
  state forward(std::span<const state> inputs, const cell_weights& weights, std::int64_t batch) const {
    const cell_table& table = cell_->table();
    const kernels::norm_mode mode{cell_->is_training(), !norm_ || norm_->updates_statistics()};
    std::vector<at::Tensor> states;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      // A cell without preprocessing (residual stages) reads what is one tensor: the stem, a block, or the last node of a cell.
      states.push_back(cell_->preprocess().empty()
                           ? inputs[i].front()
                           : preprocess(*cell_->preprocess()[i], inputs[i], batch, mode));
    }
    std::vector<at::Tensor> nodes(static_cast<std::size_t>(table.nodes));
    for (std::size_t s = 0; s < states_.size(); ++s) {
      const auto inputs_of_cell = static_cast<std::size_t>(table.inputs);
      const at::Tensor x = s < inputs_of_cell ? states[s] : nodes[s - inputs_of_cell];
      if (!x.defined()) continue;  // a node that nothing enters carries nothing
      nodes = kernels::mixed_state(states_[s], x, weights.ops, weights.edges, std::move(nodes), batch,
                                   weights.used, mode);
      add_stock_ops(*states_[s], x, weights, batch, nodes);
    }
    for (auto& node : nodes) {
      if (!node.defined()) node = empty_node(states, nodes);
    }
    if (table.output == cell_output::last) return {nodes.back()};
    return nodes;
  }

 private:
  static void check(bool fits) {
    if (!fits) {
      throw error(
          "crispnas::supernet: the kernels' plan is one of another spec. Table, ops and plan must come from "
          "one spec (configuration_of).");
    }
  }

  static bool is_stock(const kernels::state_plan& plan, std::size_t edge, std::size_t op) {
    return std::any_of(plan.stock.begin(), plan.stock.end(), [&](const kernels::stock_op& stock) {
      return stock.edge == static_cast<int>(edge) && stock.op == static_cast<int>(op);
    });
  }

  /// What ops without a fused form add to the nodes of a state's edges, which the kernels have begun.
  void add_stock_ops(const kernels::state_edges& edges, const at::Tensor& x, const cell_weights& weights,
                     std::int64_t batch, std::vector<at::Tensor>& nodes) const {
    const std::int64_t ops = weights.ops.size(1);
    at::Tensor seen;  // [batch, C / K, h, w]
    for (const auto& stock : edges.plan().stock) {
      const auto& edge = edges.plan().edges[static_cast<std::size_t>(stock.edge)];
      if (!weights.used.empty() && weights.used[static_cast<std::size_t>(edge.row * ops + stock.op)] == 0)
        continue;
      if (!seen.defined()) seen = kernels::from_blocked(x.slice(1, 0, x.size(1) / partial_), batch);
      auto& op =
          *cell_->mixed()[static_cast<std::size_t>(edge.row)]->ops()[static_cast<std::size_t>(stock.op)];
      at::Tensor weight = weights.ops.select(0, edge.row).select(0, stock.op);
      if (weights.edges.defined()) weight = weight * weights.edges.select(0, edge.row);
      at::Tensor y = kernels::to_blocked(op.forward(seen) * weight);  // [blocks, C / K, h, w, lanes]
      if (partial_ > 1) {
        // Seen channel j goes to j K; the kernels have added the others. (Adding to a slice of the node would save the zeros, but
        // its gradient is copied whole, twice.)
        y = at::constant_pad_nd(y.unsqueeze(2), {0, 0, 0, 0, 0, 0, 0, partial_ - 1}).flatten(1, 2);
      }
      nodes[static_cast<std::size_t>(edge.target)].add_(y);
    }
  }

  static std::vector<kernels::norm_state> norms_of(torch::nn::Module& module) {
    std::vector<kernels::norm_state> norms;
    for (const auto& part : module.modules()) {
      if (auto* norm = dynamic_cast<nn::batch_norm*>(part.get()))
        norms.push_back({norm->running_mean(), norm->running_variance()});
    }
    return norms;
  }

  static at::Tensor preprocess(nn::layer& layer, const state& input, std::int64_t batch,
                               const kernels::norm_mode& mode) {
    if (auto* reduce = dynamic_cast<nn::factorized_reduce*>(&layer)) {
      const auto& norm = reduce->norm();
      return kernels::reduce_inputs(input, reduce->conv_1().weight(), reduce->conv_2().weight(),
                                    {norm.running_mean(), norm.running_variance()}, batch, mode);
    }
    auto& plain = dynamic_cast<nn::relu_conv_bn&>(layer);
    const auto& norm = plain.norm();
    return kernels::preprocess(input, plain.conv().weight(), {norm.running_mean(), norm.running_variance()},
                               batch, mode);
  }

  /// Zeros in the shape of a node; only a cut leaves a node without input.
  at::Tensor empty_node(const std::vector<at::Tensor>& states, const std::vector<at::Tensor>& nodes) const {
    for (const auto& node : nodes) {
      if (node.defined()) return at::zeros_like(node);
    }
    auto shape = states.front().sizes().vec();
    if (cell_->reduces()) shape[2] /= 2, shape[3] /= 2;
    return at::zeros(shape, states.front().options());
  }

  std::shared_ptr<search_cell> cell_;
  int partial_;
  std::vector<std::shared_ptr<kernels::state_edges>> states_;
  std::shared_ptr<nn::batch_norm> norm_;  ///< one for all: whether running statistics move
};

}  // namespace crispnas
