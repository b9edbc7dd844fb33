// Which op weights are undecided? FairDARTS's zero-one loss: the mean squared distance of the sigmoids to 1/2 is to be large.
#pragma once

#include <bit>
#include <crispnas/loss/regularizer.hpp>
#include <crispnas/loss/terms.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/supernet/architecture.hpp>

namespace crispnas {

/// Mean of (weight - 1/2)^2 over the ops of all edges that exist, of all cell types.
inline at::Tensor separation_of(const architecture& arch) {
  const space_table& space = arch.space();
  at::Tensor sum;
  double count = 0.0;
  for (int type = 0; type < arch.cell_types(); ++type) {
    const cell_table& cell = space.cell(type);
    const at::Tensor squares = (op_weights(space, arch.alpha(type)) - 0.5).square().sum(1);  // [edges]
    const at::Tensor part = (squares * detail::edge_mask(cell.present, cell.edges.size(), squares)).sum();
    sum = sum.defined() ? sum + part : part;
    count += double(std::popcount(cell.present)) * double(space.op_names.size());
  }
  return sum / count;
}

template <int Factor>
struct regularizer_terms<separation<Factor>> {
  static loss_terms at(const architecture& arch, int, int) {
    return {{"separation", separation_of(arch), -double(Factor)}};
  }
};

}  // namespace crispnas
