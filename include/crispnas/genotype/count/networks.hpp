// What does the network of a genotype cost: DARTS's for CIFAR and for ImageNet, and NAS-Bench-201's? Also in
// constant expressions. Ops of the user's own are named by an op set:
// count_cifar_network<op_set<my_op>>(found).
#pragma once

#include <bit>
#include <crispnas/genotype/buildable.hpp>
#include <crispnas/genotype/count/cost.hpp>
#include <crispnas/genotype/count/ops.hpp>
#include <crispnas/genotype/count/skeleton.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/spec/op_set.hpp>
#include <cstdint>
#include <span>

namespace crispnas {

/// DARTS's network for CIFAR-10: 3x3 stem to 3 C channels, L cells, reduction cells at L/3 and 2L/3.
struct cifar_sizes {
  int channels = 36;  ///< C of the first cells
  int cells = 20;
  int classes = 10;
  int image = 32;
  bool auxiliary = false;  ///< whether the auxiliary head is counted, apart
  counting_convention convention = counting_convention::conv_and_linear;
};

/// DARTS's network for ImageNet: three convolutions of stride 2, then the same.
struct imagenet_sizes {
  int channels = 48;
  int cells = 14;
  int classes = 1000;
  int image = 224;
  bool auxiliary = false;
  counting_convention convention = counting_convention::conv_and_linear;
};

/// NAS-Bench-201's network: three stages of `cells` cells.
struct nas_bench_201_sizes {
  int channels = 16;
  int cells = 5;
  int classes = 10;
  int image = 32;
  counting_convention convention = counting_convention::conv_and_linear;
};

namespace detail {

/// A cell of a genotype, to be counted.
class genotype_cell_cost {
 public:
  constexpr genotype_cell_cost(const cell_genotype& cell, std::span<const op_counter> own) : cell_(&cell) {
    for (int i = 0; i < cell.count; ++i) {
      const gene& g = cell.genes[i];
      counters_[i] = find_counter(own, g.op.view(), g.from, g.to).count;
    }
  }
  constexpr int inputs() const { return cell_->inputs; }
  constexpr int outputs() const { return std::popcount(cell_->concat); }
  /// `at`: of the cell's inputs. Only what reads an input has the stride.
  constexpr cost count(const op_place& at) const {
    const op_place inner{at.channels, at.size / at.stride, 1, at.affine};
    cost sum;
    const std::uint32_t living = living_states(*cell_);
    for (int i = 0; i < cell_->count; ++i) {
      const int from = cell_->genes[i].from;
      cost one = counters_[i](from < cell_->inputs ? at : inner);
      if (!((living >> from) & 1U)) one.multiply_adds = 0;  // it is built and never run
      sum += one;
    }
    return sum;
  }

 private:
  const cell_genotype* cell_;
  cost (*counters_[cell_genotype::capacity])(const op_place&){};
};

template <class OwnOps>
constexpr network_count count_stacked_genotype(const genotype& g, const skeleton_sizes& sizes,
                                               bool imagenet) {
  check_buildable_stack("crispnas::count", g);
  const std::span<const op_counter> own(op_counters<OwnOps>::table);
  const cell_genotype& reduction = g.has_reduction ? g.reduction : g.normal;
  return count_stacked(genotype_cell_cost(g.normal, own), genotype_cell_cost(reduction, own), sizes,
                       imagenet);
}

}  // namespace detail

/// The CIFAR network of a genotype (a genotype of one cell reduces with it, too). Throws crispnas::error for
/// cells and sizes that cannot be built, for more than 1,024 channels or 100 cells, and for an op without a
/// count; in a constant expression all are compile-time
/// errors.
template <class OwnOps = published_ops>
constexpr network_count count_cifar_network(const genotype& g, const cifar_sizes& s = {}) {
  return detail::count_stacked_genotype<OwnOps>(
      g, {s.channels, s.cells, s.classes, s.image, 3, s.auxiliary, true, s.convention}, false);
}

/// The ImageNet network of a genotype; errors as above.
template <class OwnOps = published_ops>
constexpr network_count count_imagenet_network(const genotype& g, const imagenet_sizes& s = {}) {
  return detail::count_stacked_genotype<OwnOps>(
      g, {s.channels, s.cells, s.classes, s.image, 3, s.auxiliary, true, s.convention}, true);
}

/// The NAS-Bench-201 network of a genotype of one input that puts out one node; errors as above.
template <class OwnOps = published_ops>
constexpr network_count count_nas_bench_201_network(const genotype& g, const nas_bench_201_sizes& s = {}) {
  detail::check_buildable_stages("crispnas::count", g);
  const detail::genotype_cell_cost cell(g.normal, detail::op_counters<OwnOps>::table);
  return detail::count_residual_stages(
      cell, {s.channels, s.cells, s.classes, s.image, 3, false, true, s.convention});
}

}  // namespace crispnas
