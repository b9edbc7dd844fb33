// alpha, beta -> genotype, and back: the cut that a genotype means in a super-network.
#pragma once

#include <crispnas/discretize/cut.hpp>
#include <crispnas/discretize/gap.hpp>
#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <string>
#include <string_view>

namespace crispnas {

/// A cut as a genotype: the kept edges in order, each with its ops; living nodes make the output.
inline genotype genotype_of(const space_table& space, const network_cut& cut) {
  genotype found;
  for (std::size_t type = 0; type < cut.size(); ++type) {
    const cell_table& cell = space.cell(static_cast<int>(type));
    cell_genotype& target = type == 0 ? found.normal : found.reduction;
    target.inputs = cell.inputs;
    target.nodes = cell.nodes;
    target.concat = cell.output == cell_output::last
                        ? std::uint32_t{1} << (cell.states() - 1)
                        : cut[type].kept.alive & ~((std::uint32_t{1} << cell.inputs) - 1U);
    for (std::size_t e = 0; e < cell.edges.size(); ++e) {
      if (!((cut[type].kept.edges >> e) & 1U)) continue;
      for (int o : cut[type].ops[e]) {
        target.add(
            {op_name(space.op_names[static_cast<std::size_t>(o)]), cell.edges[e].from, cell.edges[e].to});
      }
    }
  }
  found.has_reduction = cut.size() > 1;
  return found;
}

/// Cuts a super-network to its budget: exactly that many edges, all reachable (see cut_network for what feasibility changed).
inline genotype discretize(const any_supernet& net) { return genotype_of(net.space(), cut_network(net)); }

/// What `found` keeps, as a cut of `net`. Edges that it does not keep get their strongest op (for cutting ops alone).
/// Throws crispnas::error where the genotype names an edge or an op that the super-network does not have.
inline network_cut cut_of(const any_supernet& net, const genotype& found) {
  const space_table& space = net.space();
  network_cut cut = cut_network(net);
  if (found.has_reduction != (cut.size() > 1)) {
    throw error("crispnas::cut_of: the genotype and the super-network do not have the same cell types.");
  }
  for (std::size_t type = 0; type < cut.size(); ++type) {
    const cell_table& cell = space.cell(static_cast<int>(type));
    const cell_genotype& wanted = type == 0 ? found.normal : found.reduction;
    kept_set kept;
    kept.alive = (std::uint32_t{1} << cell.inputs) - 1U;
    for (const gene& g : wanted) {
      const std::string text =
          std::to_string(g.from) + " -> " + std::to_string(g.to) + " " + std::string(g.op.view());
      std::size_t e = 0;
      while (e < cell.edges.size() && cell.edges[e] != edge{g.from, g.to}) ++e;
      if (e == cell.edges.size() || !cell.has(e)) {
        throw error("crispnas::cut_of: the super-network has no edge for the gene " + text + ".");
      }
      std::size_t o = 0;
      while (o < space.op_names.size() && space.op_names[o] != g.op.view()) ++o;
      if (o == space.op_names.size()) {
        throw error("crispnas::cut_of: the super-network has no op for the gene " + text + ".");
      }
      if (!((kept.edges >> e) & 1U)) cut[type].ops[e].clear();
      cut[type].ops[e].push_back(static_cast<int>(o));
      kept.edges |= std::uint64_t{1} << e;
      kept.alive |= std::uint32_t{1} << g.to;
    }
    kept.naive = kept.edges;
    cut[type].kept = kept;
  }
  return cut;
}

/// Accuracy before and after cutting `net` to `found`, on images that trained neither weights nor alpha and beta.
template <dataset D>
discretization_gap_report discretization_gap(any_supernet& net, const genotype& found, const D& held_out) {
  if (held_out.classes() > net.options().classes) {
    throw error("crispnas::discretization_gap: the images have " + std::to_string(held_out.classes()) +
                " classes, the super-network " + std::to_string(net.options().classes) + ".");
  }
  return measure_gap(
      net, cut_of(net, found),
      sequential_batches(held_out, {.device = net.options().device, .dtype = net.options().dtype}));
}

}  // namespace crispnas
