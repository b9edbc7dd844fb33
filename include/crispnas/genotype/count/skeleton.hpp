// What does a network of cells cost, whatever its cells are? The skeletons of DARTS (CIFAR, ImageNet) and of
// NAS-Bench-201, counted over cells that know their own cost.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/count/cost.hpp>
#include <crispnas/genotype/count/ops.hpp>
#include <cstdint>
#include <string>

namespace crispnas::detail {

/// A cell, to be counted: how many cells it reads (2, or 1), how many states it puts out, and the cost of its
/// edges (genotype_cell_cost in networks.hpp, supernet_cell_cost in supernet.hpp).
template <class Cell>
concept counted_cell = requires(const Cell& cell, const op_place& at) {
  { cell.inputs() } -> std::convertible_to<int>;
  { cell.outputs() } -> std::convertible_to<int>;
  { cell.count(at) } -> std::convertible_to<cost>;
};

struct skeleton_sizes {
  int channels = 0;
  int cells = 0;
  int classes = 0;
  int image = 0;
  int image_channels = 3;
  bool auxiliary = false;
  bool affine = true;  ///< of the cells
  counting_convention convention = counting_convention::conv_and_linear;
};

[[noreturn]] inline void this_size_is_not_counted(const char* what, int value, int low, int high) {
  throw error("crispnas::count: " + std::string(what) + " = " + std::to_string(value) + " is not from " +
              std::to_string(low) + " to " + std::to_string(high) + ".");
}
[[noreturn]] inline void this_size_is_no_multiple(const char* what, int value, int of) {
  throw error("crispnas::count: " + std::string(what) + " = " + std::to_string(value) +
              " is not a multiple of " + std::to_string(of) + ". Take " +
              std::to_string((value / of + 1) * of) + ".");
}
[[noreturn]] inline void this_cell_is_not_counted(const char* why) {
  throw error(std::string("crispnas::count: ") + why);
}

constexpr void check_size(const char* what, int value, int low, int high, int multiple_of = 1) {
  if (value < low || value > high) this_size_is_not_counted(what, value, low, high);
  if (value % multiple_of != 0) this_size_is_no_multiple(what, value, multiple_of);
}

/// So large that every network fits, so small that no count overflows 64 bits.
constexpr void check_sizes(const skeleton_sizes& s) {
  check_size("channels", s.channels, 1, 1024);
  check_size("cells", s.cells, 1, 100);
  check_size("classes", s.classes, 2, 1000000);
  check_size("image", s.image, 1, 4096);
  check_size("image_channels", s.image_channels, 1, 1024);
}

/// AvgPool 5, 1x1 to 128, 2x2 to 768, linear; ImageNet's has no batch norm after the 2x2. `channels`: of its
/// input.
constexpr cost auxiliary_cost(std::int64_t channels, std::int64_t classes, bool imagenet) {
  return conv_cost(channels, 128, 1, 4) + batch_norm_cost(128) + conv_cost(128, 768, 4, 1) +
         batch_norm_cost(768, !imagenet) +
         classifier_cost(768, classes, counting_convention::conv_and_linear);
}

/// Cell k reads cells k-1 and k-2 through 1x1 convolutions; reduction cells at L/3 and 2L/3 double the
/// channels.
template <counted_cell Cell>
constexpr network_count count_stacked(const Cell& normal, const Cell& reduction, const skeleton_sizes& s,
                                      bool imagenet) {
  check_sizes(s);
  const int first = s.cells / 3;
  const int second = 2 * s.cells / 3;
  const int halvings = (first == second ? 1 : 2) + (imagenet ? 3 : 0);
  check_size("image", s.image, 1, 4096, 1 << halvings);
  if (imagenet) check_size("channels", s.channels, 1, 1024, 2);  // halved by its stem
  network_count total{{}, {}, s.convention};
  std::int64_t channels = s.channels;
  std::int64_t size = s.image;
  std::int64_t previous = 3 * channels;
  std::int64_t older = previous;
  bool previous_reduces = false;
  if (imagenet) {
    const std::int64_t quarter = size / 4 * (size / 4);
    size /= 8;
    total.network += conv_cost(s.image_channels, channels / 2, 9, 4 * quarter) +
                     batch_norm_cost(channels / 2) + conv_cost(channels / 2, channels, 9, quarter) +
                     batch_norm_cost(channels) + conv_cost(channels, channels, 9, size * size) +
                     batch_norm_cost(channels);
    previous = older = channels;
    previous_reduces = true;
  } else {
    total.network += conv_cost(s.image_channels, previous, 9, size * size) + batch_norm_cost(previous);
  }
  for (int i = 0; i < s.cells; ++i) {
    const bool reduces = i == first || i == second;
    const Cell& cell = reduces ? reduction : normal;
    if (cell.inputs() > 2) this_cell_is_not_counted("a cell of this skeleton reads one or two cells.");
    if (cell.outputs() < 1)
      this_cell_is_not_counted("a cell has no output. Name the nodes that it puts out.");
    if (reduces) channels *= 2;
    if (cell.inputs() == 2) {
      // Both preprocessings put out images of the present size.
      total.network += previous_reduces ? factorized_reduce_cost(older, channels, size * size, s.affine)
                                        : relu_conv_bn_cost(older, channels, size * size, s.affine);
    }
    total.network += relu_conv_bn_cost(previous, channels, size * size, s.affine);
    total.network +=
        cell.count({static_cast<int>(channels), static_cast<int>(size), reduces ? 2 : 1, s.affine});
    if (reduces) size /= 2;
    older = previous;
    previous = cell.outputs() * channels;
    previous_reduces = reduces;
    if (i == second && s.auxiliary) {
      if (s.cells < 2 || (size - 5) / (imagenet ? 2 : 3) != 1) {  // its 5x5 pool is to put out 2x2
        this_cell_is_not_counted(
            "the auxiliary head needs images of 32 pixels a side (CIFAR; also 36 and 40) or 224 (ImageNet; "
            "also 256), and two cells or more.");
      }
      total.auxiliary = auxiliary_cost(previous, s.classes, imagenet);
    }
  }
  total.network += classifier_cost(previous, s.classes, s.convention);
  return total;
}

/// Three stages of `cells` cells that read the cell before them, a residual block of stride 2 between the
/// stages.
template <counted_cell Cell>
constexpr network_count count_residual_stages(const Cell& cell, const skeleton_sizes& s) {
  check_sizes(s);
  check_size("image", s.image, 1, 4096, 4);
  if (cell.inputs() != 1 || cell.outputs() != 1) {
    this_cell_is_not_counted("a cell of this skeleton has one input and puts out one node.");
  }
  std::int64_t channels = s.channels;
  std::int64_t size = s.image;
  network_count total{{}, {}, s.convention};
  total.network += conv_cost(s.image_channels, channels, 9, size * size) + batch_norm_cost(channels);
  for (int stage = 0; stage < 3; ++stage) {
    if (stage > 0) {
      size /= 2;
      const std::int64_t pixels = size * size;
      total.network += conv_cost(channels, 2 * channels, 9, pixels) + batch_norm_cost(2 * channels) +
                       conv_cost(2 * channels, 2 * channels, 9, pixels) + batch_norm_cost(2 * channels) +
                       conv_cost(channels, 2 * channels, 1, pixels);  // the shortcut
      channels *= 2;
    }
    const cost one = cell.count({static_cast<int>(channels), static_cast<int>(size), 1, s.affine});
    for (int i = 0; i < s.cells; ++i) total.network += one;
  }
  total.network += batch_norm_cost(channels) + classifier_cost(channels, s.classes, s.convention);
  return total;
}

}  // namespace crispnas::detail
