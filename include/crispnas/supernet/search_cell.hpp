// One cell of the super-network: all operations on all edges, weighted.
#pragma once

#include <crispnas/nn/mixed_op.hpp>
#include <crispnas/spec/table.hpp>
#include <crispnas/supernet/architecture.hpp>
#include <memory>
#include <span>
#include <vector>

namespace crispnas {

/// Where a cell stands in the network.
struct cell_place {
  int channels = 0;  ///< C of each node
  std::vector<int>
      input_channels;          ///< of the cells that it reads, oldest first; empty: inputs come as they are
  bool reduces = false;        ///< edges from inputs have stride 2
  bool reads_reduced = false;  ///< the previous cell reduces, so the older input is twice as large
};

class search_cell final : public torch::nn::Module {
 public:
  search_cell(const nn::init_context& init, const space_table& space, const cell_table& cell,
              std::span<const nn::op_factory> ops, const cell_place& place)
      : cell_(cell), channels_(place.channels), reduces_(place.reduces) {
    const auto inputs = place.input_channels.size();
    for (std::size_t i = 0; i < inputs; ++i) {
      // Published names count from the older input: a cell with one input has preprocess1 only.
      const auto name = "preprocess" + std::to_string(i + 2 - inputs);
      if (inputs == 2 && i == 0 && place.reads_reduced) {
        preprocess_.push_back(register_module(
            name, std::make_shared<nn::factorized_reduce>(init, place.input_channels[i], channels_, false)));
      } else {
        preprocess_.push_back(
            register_module(name, std::make_shared<nn::relu_conv_bn>(
                                      init, nn::conv_shape{place.input_channels[i], channels_, 1}, false)));
      }
    }
    auto list = register_module("_ops", std::make_shared<torch::nn::Module>("ops"));
    for (std::size_t e = 0; e < cell.edges.size(); ++e) {
      mixed_.push_back(nullptr);
      if (!cell.has(e)) continue;  // in no feasible kept set: does not exist
      const int stride = place.reduces && cell.edges[e].from < cell.inputs ? 2 : 1;
      mixed_[e] = std::make_shared<nn::mixed_op>(init, ops, channels_, stride, space.partial,
                                                 space.layout == skeleton::stacked);
      list->register_module(std::to_string(e), mixed_[e]);
    }
  }

  /// inputs: cell_.inputs tensors [batch, channels, h, w], oldest first. Returns [batch, nodes * C or C, h', w'].
  at::Tensor forward(std::span<const at::Tensor> inputs, const cell_weights& weights) {
    std::vector<at::Tensor> states(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < preprocess_.size(); ++i) states[i] = preprocess_[i]->forward(states[i]);
    states.resize(static_cast<std::size_t>(cell_.states()));
    const auto ops = static_cast<std::size_t>(weights.ops.size(1));
    std::vector<char> used_row;
    for (std::size_t e = 0; e < cell_.edges.size(); ++e) {
      if (!mixed_[e]) continue;
      const auto [from, to] = cell_.edges[e];
      const auto row = static_cast<std::int64_t>(e);
      bool any = true;
      if (!weights.used.empty()) {
        used_row.assign(weights.used.begin() + std::ptrdiff_t(e * ops),
                        weights.used.begin() + std::ptrdiff_t((e + 1) * ops));
        any = std::find(used_row.begin(), used_row.end(), char{1}) != used_row.end();
      }
      if (!any) continue;
      const at::Tensor& source = states[static_cast<std::size_t>(from)];
      if (!source.defined()) continue;  // a node that nothing enters carries nothing
      at::Tensor y = mixed_[e]->forward(source, weights.ops.select(0, row), used_row);
      if (weights.edges.defined()) y = y * weights.edges.select(0, row);
      at::Tensor& sum = states[static_cast<std::size_t>(to)];
      sum = sum.defined() ? sum + y : y;
    }
    return gather(states);
  }

  const cell_table& table() const { return cell_; }
  const std::vector<nn::layer_ptr>& preprocess() const { return preprocess_; }
  const std::vector<std::shared_ptr<nn::mixed_op>>& mixed() const { return mixed_; }
  int channels() const { return channels_; }
  bool reduces() const { return reduces_; }

 private:
  at::Tensor gather(std::span<const at::Tensor> states) const {
    std::vector<at::Tensor> nodes(states.begin() + cell_.inputs, states.end());
    at::Tensor shape = nodes.front();
    for (const auto& node : nodes) shape = node.defined() ? node : shape;
    if (!shape.defined()) {
      shape = reduces_ ? states[0].slice(2, 0, {}, 2).slice(3, 0, {}, 2) : states[0];
    }
    for (auto& node : nodes) {
      if (!node.defined()) node = at::zeros_like(shape);
    }
    return cell_.output == cell_output::last ? nodes.back() : at::cat(nodes, 1);
  }

  cell_table cell_;
  int channels_;
  bool reduces_;
  std::vector<nn::layer_ptr> preprocess_;
  std::vector<std::shared_ptr<nn::mixed_op>> mixed_;
};

}  // namespace crispnas
