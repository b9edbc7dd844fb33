// One cell of a derived network: the kept ops of a genotype, each at weight 1.
#pragma once

#include <torch/nn/module.h>

#include <bit>
#include <crispnas/derived/drop_path.hpp>
#include <crispnas/derived/op_table.hpp>
#include <crispnas/genotype/buildable.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/nn/op.hpp>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

/// Where a derived cell stands in the network.
struct derived_place {
  int channels = 0;  ///< C of each node
  std::vector<int>
      input_channels;          ///< of the cells that it reads, oldest first; empty: inputs come as they are
  bool reduces = false;        ///< what reads an input has stride 2
  bool reads_reduced = false;  ///< the older input is twice as large as the newer one
};

class derived_cell final : public torch::nn::Module {
 public:
  derived_cell(const nn::init_context& init, const cell_genotype& cell, std::span<const named_op> ops,
               const derived_place& place)
      : cell_(cell) {
    detail::check_buildable("crispnas::derived_network", cell, place.reduces);
    const auto inputs = place.input_channels.size();
    for (std::size_t i = 0; i < inputs; ++i) {
      const auto name =
          "preprocess" + std::to_string(i + 2 - inputs);  // the only input of a cell is the newer one
      if (inputs == 2 && i == 0 && place.reads_reduced) {
        preprocess_.push_back(register_module(
            name,
            std::make_shared<nn::factorized_reduce>(init, place.input_channels[i], place.channels, true)));
      } else {
        preprocess_.push_back(register_module(
            name, std::make_shared<nn::relu_conv_bn>(
                      init, nn::conv_shape{place.input_channels[i], place.channels, 1}, true)));
      }
    }
    // Published networks name the ops of stacked cells `_ops` (DARTS), those of residual stages `layers` (NAS-Bench-201).
    auto list = register_module(inputs > 0 ? "_ops" : "layers", std::make_shared<torch::nn::Module>("ops"));
    for (const gene& g : cell) {
      const int stride = place.reduces && g.from < cell.inputs ? 2 : 1;
      ops_.push_back(find_op_factory(ops, g.op.view())({init, place.channels, stride, true, false}));
      list->register_module(std::to_string(ops_.size() - 1), ops_.back());
    }
  }

  /// inputs: [batch, channels, h, w] each, oldest first. Returns [batch, outputs * C, h', w'].
  at::Tensor forward(std::span<const at::Tensor> inputs, path_dropper& drop) {
    std::vector<at::Tensor> states(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < preprocess_.size(); ++i) states[i] = preprocess_[i]->forward(states[i]);
    states.resize(static_cast<std::size_t>(cell_.states()));
    for (int node = cell_.inputs; node < cell_.states(); ++node) {
      at::Tensor& sum = states[static_cast<std::size_t>(node)];
      for (int i = 0; i < cell_.count; ++i) {
        const gene& g = cell_.genes[i];
        if (g.to != node) continue;
        const at::Tensor& source = states[static_cast<std::size_t>(g.from)];
        if (!source.defined()) continue;  // nothing enters it, so it carries nothing (FairDARTS)
        nn::layer& op = *ops_[static_cast<std::size_t>(i)];
        at::Tensor y = op.forward(source);
        // What only passes its input on is never dropped (DARTS).
        if (is_training() && dynamic_cast<nn::identity*>(&op) == nullptr) y = drop(y);
        sum = sum.defined() ? sum + y : y;
      }
    }
    std::vector<at::Tensor> outputs;
    for (int s = 0; s < cell_.states(); ++s) {
      if ((cell_.concat >> s) & 1U) outputs.push_back(states[static_cast<std::size_t>(s)]);
    }
    return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 1);
  }

  /// States in the output: C times that many channels leave the cell.
  static int outputs(const cell_genotype& cell) { return std::popcount(cell.concat); }

 private:
  cell_genotype cell_;
  std::vector<nn::layer_ptr> preprocess_;
  std::vector<nn::layer_ptr> ops_;  ///< one per gene
};

}  // namespace crispnas
