// The same cell through the fused kernels: reads the weights of a search_cell, computes in the blocked layout.
#pragma once

#include <crispnas/kernels/kernels.hpp>
#include <crispnas/spec/table.hpp>
#include <crispnas/supernet/search_cell.hpp>
#include <memory>
#include <span>
#include <vector>

namespace crispnas {

/// Whether every op of a space has a fused form. The cells of residual stages never reduce, so theirs need it for stride 1 only.
inline bool has_fused_form(const space_table& space) {
  for (auto name : space.op_names) {
    if (!kernels::supported(name, 1)) return false;
    if (space.layout == skeleton::stacked && !kernels::supported(name, 2)) return false;
  }
  return true;
}

/// A view of a search_cell for the kernels. A state is a list of blocked tensors, read as their concatenation over channels.
class fused_cell {
 public:
  using state = std::vector<at::Tensor>;

  fused_cell(std::shared_ptr<search_cell> cell, const space_table& space)
      : cell_(std::move(cell)), partial_(space.partial) {
    for (const auto& mixed : cell_->mixed()) {
      std::vector<kernels::op_params> ops;
      for (std::size_t o = 0; mixed && o < mixed->ops().size(); ++o) {
        kernels::op_params op;
        op.kind = *kernels::find_op(space.op_names[o]);
        op.weights = mixed->ops()[o]->parameters();
        op.norms = norms_of(*mixed->ops()[o]);
        ops.push_back(std::move(op));
      }
      edges_.push_back(std::move(ops));
    }
  }

  /// inputs: oldest first. Returns the nodes. batch: images, which the blocked tensors round up.
  state forward(std::span<const state> inputs, const cell_weights& weights, std::int64_t batch) const {
    const cell_table& table = cell_->table();
    const kernels::norm_mode mode = mode_of();
    std::vector<at::Tensor> states;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      // A cell without preprocessing (residual stages) reads what is one tensor: the stem, a block, or the last node of a cell.
      states.push_back(cell_->preprocess().empty()
                           ? inputs[i].front()
                           : preprocess(*cell_->preprocess()[i], inputs[i], batch, mode));
    }
    std::vector<at::Tensor> nodes(static_cast<std::size_t>(table.nodes));
    for (int s = 0; s < table.states(); ++s) {
      const at::Tensor x = s < table.inputs ? states[static_cast<std::size_t>(s)]
                                            : nodes[static_cast<std::size_t>(s - table.inputs)];
      if (!x.defined()) continue;  // a node that nothing enters carries nothing
      std::vector<kernels::mixed_edge> edges;
      std::vector<std::int64_t> rows;
      for (std::size_t e = 0; e < table.edges.size(); ++e) {
        if (table.edges[e].from != s || edges_[e].empty()) continue;
        kernels::mixed_edge edge{table.edges[e].to - table.inputs, edges_[e]};
        bool any = weights.used.empty();
        for (std::size_t o = 0; o < edge.ops.size() && !weights.used.empty(); ++o) {
          edge.ops[o].used = weights.used[e * edge.ops.size() + o] != 0;
          any = any || edge.ops[o].used;
        }
        if (!any) continue;
        edges.push_back(std::move(edge));
        rows.push_back(static_cast<std::int64_t>(e));
      }
      if (edges.empty()) continue;
      const at::Tensor index = at::tensor(rows, at::kLong);
      const at::Tensor edge_weights =
          weights.edges.defined() ? weights.edges.index_select(0, index) : at::Tensor();
      const int stride = cell_->reduces() && s < table.inputs ? 2 : 1;
      nodes = kernels::mixed_state(x, weights.ops.index_select(0, index), edge_weights, edges, nodes,
                                   {batch, partial_, stride}, mode);
    }
    for (auto& node : nodes) {
      if (!node.defined()) node = empty_node(states, nodes);
    }
    if (table.output == cell_output::last) return {nodes.back()};
    return nodes;
  }

 private:
  static std::vector<kernels::norm_state> norms_of(torch::nn::Module& module) {
    std::vector<kernels::norm_state> norms;
    for (const auto& part : module.modules()) {
      if (auto* norm = dynamic_cast<nn::batch_norm*>(part.get()))
        norms.push_back({norm->running_mean(), norm->running_variance()});
    }
    return norms;
  }

  kernels::norm_mode mode_of() const {
    bool update = true;
    for (const auto& part : cell_->modules()) {
      if (auto* norm = dynamic_cast<nn::batch_norm*>(part.get())) {
        update = norm->updates_statistics();
        break;
      }
    }
    return {cell_->is_training(), update};
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
  std::vector<std::vector<kernels::op_params>> edges_;  ///< per edge; empty where it does not exist
};

}  // namespace crispnas
