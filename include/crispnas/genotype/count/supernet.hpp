// What does the super-network of a spec cost? The same as supernet<Spec> builds (supernet/supernet.hpp):
// weights alone, without alpha and beta, all ops on all edges that exist.
#pragma once

#include <crispnas/genotype/count/cost.hpp>
#include <crispnas/genotype/count/ops.hpp>
#include <crispnas/genotype/count/skeleton.hpp>
#include <crispnas/spec/spec.hpp>
#include <crispnas/spec/table.hpp>
#include <cstddef>
#include <span>

namespace crispnas {

/// Quantities of a super-network; the names and defaults of supernet_options.
struct supernet_sizes {
  int channels = 16;
  int cells = 8;  ///< stacked: of the whole network; residual stages: of each of the three stages
  int classes = 10;
  int image = 32;
  int image_channels = 3;
  counting_convention convention = counting_convention::conv_and_linear;
};

namespace detail {

/// A cell of a super-network, to be counted.
class supernet_cell_cost {
 public:
  constexpr supernet_cell_cost(const cell_table& cell, std::span<const op_counter> ops, int partial)
      : cell_(&cell), ops_(ops), partial_(partial) {}
  constexpr int inputs() const { return cell_->inputs; }
  constexpr int outputs() const { return cell_->output == cell_output::last ? 1 : cell_->nodes; }
  /// Ops see 1/K of the channels; what they do not see costs nothing.
  constexpr cost count(const op_place& at) const {
    const op_place outer{at.channels / partial_, at.size, at.stride, at.affine};
    const op_place inner{at.channels / partial_, at.size / at.stride, 1, at.affine};
    const cost on_outer_edge = all_ops(outer);
    const cost on_inner_edge = all_ops(inner);
    cost sum;
    for (std::size_t e = 0; e < cell_->edges.size(); ++e) {
      if (cell_->has(e)) sum += cell_->edges[e].from < cell_->inputs ? on_outer_edge : on_inner_edge;
    }
    return sum;
  }

 private:
  constexpr cost all_ops(const op_place& at) const {
    cost sum;
    for (const op_counter& op : ops_) sum += op.count(at);
    return sum;
  }
  const cell_table* cell_;
  std::span<const op_counter> ops_;
  int partial_;
};

}  // namespace detail

/// The super-network of a spec. Throws crispnas::error for sizes that cannot be built; in a constant
/// expression that is a compile-time error, as is an op that has no count (op_cost).
template <search_spec Spec>
constexpr network_count count_supernet(const supernet_sizes& s = {}) {
  const space_table& space = table_v<Spec>;
  const std::span<const detail::op_counter> ops(detail::op_counters<typename Spec::ops>::table);
  const detail::skeleton_sizes sizes{s.channels,       s.cells, s.classes, s.image,
                                     s.image_channels, false,   false,     s.convention};
  const detail::supernet_cell_cost normal(space.normal, ops, space.partial);
  if (space.layout != skeleton::stacked) {
    detail::check_size("channels", s.channels, 1, 1024, space.partial);
    return detail::count_residual_stages(normal, sizes);
  }
  // A skip of stride 2 halves the channels that ops see once more.
  detail::check_size("channels", s.channels, 1, 1024, 2 * space.partial);
  return detail::count_stacked(normal, detail::supernet_cell_cost(space.reduction, ops, space.partial), sizes,
                               false);
}

}  // namespace crispnas
