// Under which names do the published checkpoints keep a super-network? The parameters and statistics of its
// modules, and alpha and beta, which the published code keeps beside them:
// - DARTS, PC-DARTS: stem.0.weight, cells.0._ops.3._ops.4.op.1.weight, alphas_normal; PC-DARTS also betas_normal.
// - DAAS: the same, but beta_normal0 [1, 3], beta_normal1 [1, 4], beta_normal2 [1, 5], beta_reduce0, ...; node 2 has none. Where a
//   budget has other groups than one of consecutive edges for each node, which DAAS has not, betas_normal as in PC-DARTS.
// - AutoDL (NAS-Bench-201): cells.0.edges.1<-0.3.op.1.weight, arch_parameters.
// The tensors are the network's own, or views of them: what is copied into them is in the network.
#pragma once

#include <torch/nn/module.h>

#include <bit>
#include <charconv>
#include <crispnas/supernet/supernet.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crispnas {

/// Parameters, then buffers, under the names of their modules.
inline std::vector<std::pair<std::string, at::Tensor>> published_state(const torch::nn::Module& module) {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& p : module.named_parameters()) state.emplace_back(p.key(), p.value());
  for (const auto& b : module.named_buffers()) state.emplace_back(b.key(), b.value());
  return state;
}

namespace detail {

/// cells.0._ops.4._ops.3.op.1.weight -> cells.0.edges.3<-1.3.op.1.weight; other names as they are.
inline std::string autodl_name(const std::string& name, const cell_table& cell) {
  constexpr std::string_view edges = "._ops.";
  const auto begin = name.find(edges);
  if (begin == std::string::npos) return name;
  std::size_t e = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + begin + edges.size(), end, e);
  const std::string_view rest(read.ptr, static_cast<std::size_t>(end - read.ptr));
  return name.substr(0, begin) + ".edges." + std::to_string(cell.edges[e].to) + "<-" +
         std::to_string(cell.edges[e].from) + "." + std::string(rest.substr(edges.size()));
}

/// Whether beta is kept as DAAS keeps it: each group with a choice is of one node, and its edges stand in a row.
inline bool has_daas_rows(const space_table& space) {
  if (!space.swapped_betas || !space.has_edge_weights()) return false;
  for (int type = 0; type < space.cell_types(); ++type) {
    const cell_table& cell = space.cell(type);
    for (const auto& group : cell.groups) {
      if (!has_choice(cell, group)) continue;
      const auto members = present_members(cell, group);
      const auto span = static_cast<std::size_t>(members.back() - members.front()) + 1;
      if (std::popcount(group.nodes) != 1 || members.size() != span) return false;
    }
  }
  return true;
}

/// DAAS: one row of betas for each node that has something to choose, as views of beta.
inline void add_daas_betas(std::vector<std::pair<std::string, at::Tensor>>& state, const architecture& arch) {
  for (int type = 0; type < arch.cell_types(); ++type) {
    const cell_table& cell = arch.space().cell(type);
    int row = 0;
    for (const auto& group : cell.groups) {
      if (!has_choice(cell, group)) continue;
      const auto members = present_members(cell, group);
      const auto count = static_cast<std::int64_t>(members.size());
      const at::Tensor view =
          arch.beta(type).detach().slice(0, members.front(), members.front() + count).view({1, count});
      state.emplace_back((type == 0 ? "beta_normal" : "beta_reduce") + std::to_string(row++), view);
    }
  }
}

}  // namespace detail

/// The whole super-network: weights, batch-norm statistics, alpha and beta.
inline std::vector<std::pair<std::string, at::Tensor>> published_state(const any_supernet& net) {
  const space_table& space = net.space();
  auto state = published_state(static_cast<const torch::nn::Module&>(net));
  const bool autodl = space.layout == skeleton::residual_stages;
  for (auto& entry : state) {
    if (autodl) entry.first = detail::autodl_name(entry.first, space.normal);
  }
  const bool daas = detail::has_daas_rows(space);
  for (const auto& [name, values] : net.arch().named()) {
    const bool beta = name.starts_with("beta");
    if (beta && daas) continue;
    state.emplace_back(autodl && !beta ? "arch_parameters" : name, values);
  }
  if (daas) detail::add_daas_betas(state, net.arch());
  return state;
}

}  // namespace crispnas
