// What decides how a search goes? Every quantity and choice as key and value, so that a checkpoint is not gone on from
// with another one.
#pragma once

#include <torch/types.h>

#include <bit>
#include <concepts>
#include <crispnas/data/dataset.hpp>
#include <crispnas/io/configuration_text.hpp>
#include <crispnas/io/sha256.hpp>
#include <crispnas/search/searcher.hpp>
#include <cstdio>
#include <string>
#include <string_view>

namespace crispnas {

namespace detail {

inline std::string setting(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}
inline std::string setting(std::integral auto value) { return std::to_string(value); }
inline std::string setting(bool value) { return value ? "yes" : "no"; }

/// Edges, groups and what else there is to a cell.
inline std::string cell_setting(const cell_table& cell) {
  std::string text;
  for (const auto& e : cell.edges) text += std::to_string(e.from) + "->" + std::to_string(e.to) + " ";
  text += cell.output == cell_output::concat ? "concatenated; " : "last node; ";
  for (const auto& g : cell.groups) {
    text += "keep " + std::to_string(g.kept) + " of " + std::to_string(std::popcount(g.edges)) + " into";
    for (int n = 0; n < 32; ++n) {
      if (g.nodes >> n & 1U) text += " " + std::to_string(n);
    }
    text += "; ";
  }
  return text;
}

}  // namespace detail

/// The super-network and the options of a search. A function that is called (the regularizer) shows in what it is given only: name
/// the method beside it.
inline text_pairs configuration_text(searcher& search) {
  using detail::setting;
  const auto& n = search.net().options();
  const auto& o = search.options();
  const auto& space = search.net().space();
  std::string ops;
  for (const auto& name : space.op_names) ops += (ops.empty() ? "" : " ") + std::string(name);
  const auto word = [](auto choice) { return setting(static_cast<int>(choice)); };
  return {{"ops", ops},
          {"normal", detail::cell_setting(space.normal)},
          {"reduction", detail::cell_setting(space.reduction)},
          {"K", setting(space.partial)},
          {"skeleton", word(space.layout)},
          {"ops_per_edge", setting(space.ops_per_edge)},
          {"op_weights", word(space.op_rule)},
          {"edge_weights", word(space.weights)},
          {"liveness", word(space.liveness)},
          {"beta_cap", word(space.cap)},
          {"swapped_betas", setting(space.swapped_betas)},
          {"op_threshold", setting(space.op_threshold)},
          {"edges_ranked", word(space.choice)},
          {"channels", setting(n.channels)},
          {"cells", setting(n.cells)},
          {"classes", setting(n.classes)},
          {"image_channels", setting(n.image_channels)},
          {"network_seed", setting(n.seed)},
          {"device", n.device.str()},
          {"dtype", at::toString(n.dtype)},
          {"fused", setting(search.net().is_fused())},
          {"epochs", setting(o.epochs)},
          {"batch_size", setting(o.batch_size)},
          {"seed", setting(o.seed)},
          {"order", word(o.order)},
          {"weight_rate", setting(o.weight_rate)},
          {"last_weight_rate", setting(o.last_weight_rate)},
          {"momentum", setting(o.momentum)},
          {"weight_decay", setting(o.weight_decay)},
          {"clip", setting(o.clip)},
          {"alpha_rate", setting(o.alpha_rate)},
          {"beta_rate", setting(o.beta_rate)},
          {"adam_beta1", setting(o.adam_beta1)},
          {"adam_beta2", setting(o.adam_beta2)},
          {"arch_decay", setting(o.arch_decay)},
          {"alpha_warmup", setting(o.alpha_warmup)},
          {"beta_warmup", setting(o.beta_warmup)},
          {"strength", setting(o.strength)},
          {"crop_padding", setting(o.augment.crop_padding)},
          {"flip", setting(o.augment.flip)},
          {"cutout", setting(o.augment.cutout)}};
}

/// A digest of images and labels: other data is another run.
template <dataset D>
std::string data_digest(const D& data) {
  sha256 digest;
  for (const at::Tensor& part :
       {at::Tensor(data.images()).contiguous(), at::Tensor(data.labels()).contiguous()}) {
    digest.add({static_cast<const char*>(part.const_data_ptr()), part.nbytes()});
  }
  return digest.hex();
}

}  // namespace crispnas
