// How does a derived network get to people who work in Python? As a module of plain PyTorch, text that is written here, whose
// parameters have the names under which save_state writes ours.
#pragma once

#include <algorithm>
#include <array>
#include <crispnas/derived/derived_network.hpp>
#include <crispnas/derived/python_text.hpp>
#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <string>
#include <string_view>

namespace crispnas {

namespace detail {

/// How Python makes an op of `channels` and `stride`, and the class behind it.
struct python_op {
  std::string_view name;
  std::string_view make;
  std::string_view needs;
};
inline constexpr std::array<python_op, 12> python_ops{{
    {"none", "Zero(stride)", python_zero},
    {"max_pool_3x3", "nn.MaxPool2d(3, stride, 1)", {}},
    {"avg_pool_3x3", "nn.AvgPool2d(3, stride, 1, count_include_pad=False)", {}},
    {"skip_connect", "nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)", {}},
    {"sep_conv_3x3", "Depthwise(channels, 3, stride, False)", python_depthwise},
    {"sep_conv_5x5", "Depthwise(channels, 5, stride, False)", python_depthwise},
    {"sep_conv_7x7", "Depthwise(channels, 7, stride, False)", python_depthwise},
    {"dil_conv_3x3", "Depthwise(channels, 3, stride, True)", python_depthwise},
    {"dil_conv_5x5", "Depthwise(channels, 5, stride, True)", python_depthwise},
    {"conv_7x1_1x7", "Conv7x1(channels, stride)", python_rows_and_columns},
    {"nor_conv_1x1", "ReLUConvBN(channels, channels, 1, stride)", {}},
    {"nor_conv_3x3", "ReLUConvBN(channels, channels, 3, stride)", {}},
}};

inline const python_op& find_python_op(std::string_view name) {
  for (const auto& op : python_ops) {
    if (op.name == name) return op;
  }
  throw error("crispnas::to_python: the op '" + std::string(name) +
              "' is not one of the published ones, so its module in Python is not known. Write it by hand.");
}

inline std::string python_cell(const cell_genotype& cell) {
  std::string text = "{\n    \"inputs\": " + std::to_string(cell.inputs) +
                     ",\n    \"nodes\": " + std::to_string(cell.nodes) + ",\n    \"ops\": [\n";
  for (const gene& g : cell) {
    text += "        (\"" + std::string(g.op.view()) + "\", " + std::to_string(g.from) + ", " +
            std::to_string(g.to) + "),\n";
  }
  text += "    ],\n    \"output\": [";
  std::string output;
  for (int s = 0; s < cell.states(); ++s) {
    if ((cell.concat >> s) & 1U) output += (output.empty() ? "" : ", ") + std::to_string(s);
  }
  return text + output + "],\n}\n";
}

}  // namespace detail

/// The module of a network of `found`: load() reads model.safetensors beside it (save_state(published_state(net), ...)), check()
/// compares its logits with example.safetensors (`images` and `logits`). Needs the packages torch and safetensors alone. Without
/// drop path. Throws crispnas::error for ops that are not published.
inline std::string to_python(const genotype& found, const derived_options& o) {
  for (const cell_genotype* cell : {&found.normal, &found.reduction}) {
    for (const gene& g : *cell) detail::find_python_op(g.op.view());
  }
  const bool residual = o.skeleton == derived_skeleton::nas_bench_201;
  const bool imagenet = o.skeleton == derived_skeleton::imagenet;
  const std::string sizes = "C = " + std::to_string(o.channels) + ", " + std::to_string(o.cells) + " cells" +
                            (residual ? " in each of 3 stages" : "") + ", " + std::to_string(o.classes) +
                            " classes";
  std::string text = "\"\"\"" +
                     std::string(residual   ? "A NAS-Bench-201"
                                 : imagenet ? "An ImageNet"
                                            : "A CIFAR") +
                     " network, " + sizes + ", written by crispnas. Needs torch and safetensors.\n" +
                     R"py(
    from model import load
    network = load()          # with the weights of model.safetensors
    logits = network(images)  # [batch, channels, height, width], normalized -> [batch, classes]

Run as a program it compares its logits with those of example.safetensors.
"""
import sys
from pathlib import Path

import torch
from torch import nn

)py";
  const auto constant = [&](const char* name, const std::string& value) {
    text += std::string(name) + " = " + value + "\n";
  };
  constant("CHANNELS", std::to_string(o.channels));
  constant("CELLS", std::to_string(o.cells) + (residual ? "  # of each stage" : ""));
  constant("CLASSES", std::to_string(o.classes));
  constant("IMAGE_CHANNELS", std::to_string(o.image_channels));
  if (!residual) constant("AUXILIARY", o.auxiliary ? "True" : "False");
  text +=
      "\n# Ops are (name, from, to). The first states are what the cell reads, the others its nodes; a node "
      "sums what\n"
      "# enters it.\n";
  constant("NORMAL", detail::python_cell(found.normal));
  if (!residual)
    constant("REDUCTION", found.has_reduction ? detail::python_cell(found.reduction) : "NORMAL\n");
  text.pop_back();

  text += detail::python_convolutions;
  if (!residual) text += detail::python_factorized_reduce;
  std::string_view written[detail::python_ops.size()];
  std::string table = "\n\nOPS = {\n";
  for (std::size_t i = 0; i < detail::python_ops.size(); ++i) {
    const auto& op = detail::python_ops[i];
    const auto uses = [&](const cell_genotype& cell) {
      return std::any_of(cell.begin(), cell.end(), [&](const gene& g) { return g.op.view() == op.name; });
    };
    if (!uses(found.normal) && !(found.has_reduction && uses(found.reduction))) continue;
    const bool known = std::find(written, written + i, op.needs) != written + i;
    if (!known) text += op.needs;
    written[i] = op.needs;
    // In residual stages nothing is halved inside of a cell.
    const std::string make(residual && op.name == "skip_connect" ? "nn.Identity()" : op.make);
    table += "    \"" + std::string(op.name) + "\": lambda channels, stride: " + make + ",\n";
  }
  text += table + "}\n";
  text += detail::python_output_of;
  if (residual) {
    text += detail::python_residual_network;
  } else {
    text += detail::python_stacked_cell;
    const auto put = [](std::string into, std::string_view mark, std::string_view value) {
      return into.replace(into.find(mark), mark.size(), value);
    };
    if (o.auxiliary) {
      std::string head(detail::python_auxiliary_head);
      head = put(head, "AUXILIARY_STRIDE", imagenet ? "2" : "3");
      text += put(head, imagenet ? "            *AUXILIARY_NORM,\n" : "*AUXILIARY_NORM",
                  imagenet ? "" : "nn.BatchNorm2d(768)");
    }
    std::string network = put(std::string(detail::python_stacked_network), "STEM",
                              imagenet ? detail::python_imagenet_stem : detail::python_cifar_stem);
    text += put(network, "BEGIN",
                imagenet ? "        older = self.stem0(x)\n        newer = self.stem1(older)"
                         : "        older = newer = self.stem(x)");
  }
  return text + std::string(detail::python_ending);
}

}  // namespace crispnas
