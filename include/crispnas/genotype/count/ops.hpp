// What does one operation cost? op_cost<Op> counts it; a user's own tag brings a function `count`:
//   struct my_op {
//     static constexpr std::string_view name = "my_op";
//     static constexpr crispnas::cost count(const crispnas::op_place& at) { ... }
//   };
#pragma once

#include <array>
#include <concepts>
#include <crispnas/error.hpp>
#include <crispnas/genotype/count/cost.hpp>
#include <crispnas/spec/op.hpp>
#include <crispnas/spec/op_set.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace crispnas {

/// Where an operation stands: `channels` in and out, on square images of `size` pixels a side.
struct op_place {
  int channels = 0;
  int size = 0;
  int stride = 1;
  bool affine =
      true;  ///< whether batch norm learns scale and shift: in a derived network, not in a super-network

  /// Of the output: every published op halves by rounding up.
  constexpr std::int64_t pixels() const {
    const std::int64_t out = (size + stride - 1) / stride;
    return out * out;
  }
};

template <class Op>
concept counts_itself = requires(const op_place& at) {
  { Op::count(at) } -> std::convertible_to<cost>;
};

namespace detail {
template <class Op>
struct require_count {
  static_assert(counts_itself<Op>,
                "crispnas::op_cost: this operation has no count. Give its tag a function: static constexpr "
                "crispnas::cost "
                "count(const crispnas::op_place&).");
};
}  // namespace detail

/// A user's own op counts itself; the published ones are specializations below (operations.py of DARTS and
/// AutoDL).
template <class Op>
struct op_cost {
  static_assert(sizeof(detail::require_count<Op>) > 0, "crispnas::op_cost: see the note.");
  static constexpr cost count(const op_place& at) {
    if constexpr (counts_itself<Op>) {
      return Op::count(at);
    } else {
      return {};
    }
  }
};

namespace detail {

/// Depthwise k x k, 1x1, batch norm.
constexpr cost depthwise_cost(const op_place& at, std::int64_t kernel) {
  return conv_cost(at.channels, at.channels, kernel * kernel, at.pixels(), at.channels) +
         conv_cost(at.channels, at.channels, 1, at.pixels()) + batch_norm_cost(at.channels, at.affine);
}

struct free_of_cost {
  static constexpr cost count(const op_place&) { return {}; }
};
/// The block twice; the second has stride 1.
template <int Kernel>
struct separable_cost {
  static constexpr cost count(const op_place& at) {
    return depthwise_cost(at, Kernel) + depthwise_cost(at, Kernel);
  }
};
template <int Kernel>
struct dilated_cost {
  static constexpr cost count(const op_place& at) { return depthwise_cost(at, Kernel); }
};
/// NAS-Bench-201: the convolution has a bias exactly where batch norm has no shift.
template <int Kernel>
struct normal_conv_cost {
  static constexpr cost count(const op_place& at) {
    return conv_cost(at.channels, at.channels, std::int64_t{Kernel} * Kernel, at.pixels()) +
           batch_norm_cost(at.channels, at.affine) + cost{at.affine ? 0 : at.channels, 0};
  }
};

}  // namespace detail

template <>
struct op_cost<ops::none> : detail::free_of_cost {};
template <>
struct op_cost<ops::max_pool_3x3> : detail::free_of_cost {};
template <>
struct op_cost<ops::avg_pool_3x3> : detail::free_of_cost {};
template <>
struct op_cost<ops::skip_connect> {
  static constexpr cost count(const op_place& at) {
    if (at.stride == 1) return {};
    return detail::factorized_reduce_cost(at.channels, at.channels, at.pixels(), at.affine);
  }
};
template <>
struct op_cost<ops::sep_conv_3x3> : detail::separable_cost<3> {};
template <>
struct op_cost<ops::sep_conv_5x5> : detail::separable_cost<5> {};
template <>
struct op_cost<ops::sep_conv_7x7> : detail::separable_cost<7> {};
template <>
struct op_cost<ops::dil_conv_3x3> : detail::dilated_cost<3> {};
template <>
struct op_cost<ops::dil_conv_5x5> : detail::dilated_cost<5> {};
template <>
struct op_cost<ops::conv_7x1_1x7> {
  /// The first convolution halves the width alone.
  static constexpr cost count(const op_place& at) {
    const std::int64_t width = (at.size + at.stride - 1) / at.stride;
    return detail::conv_cost(at.channels, at.channels, 7, at.size * width) +
           detail::conv_cost(at.channels, at.channels, 7, width * width) +
           detail::batch_norm_cost(at.channels, at.affine);
  }
};
template <>
struct op_cost<ops::nor_conv_1x1> : detail::normal_conv_cost<1> {};
template <>
struct op_cost<ops::nor_conv_3x3> : detail::normal_conv_cost<3> {};

/// All operations of the published spaces.
using published_ops = op_set<ops::none, ops::max_pool_3x3, ops::avg_pool_3x3, ops::skip_connect,
                             ops::sep_conv_3x3, ops::sep_conv_5x5, ops::sep_conv_7x7, ops::dil_conv_3x3,
                             ops::dil_conv_5x5, ops::conv_7x1_1x7, ops::nor_conv_1x1, ops::nor_conv_3x3>;

namespace detail {

/// The name of an op and the function that counts it: all that the counting of a genotype needs of an op set.
struct op_counter {
  std::string_view name;
  cost (*count)(const op_place&);
};

template <class OpSet>
struct op_counters;
template <template <class...> class Set, class... Ops>
struct op_counters<Set<Ops...>> {
  static constexpr std::array<op_counter, sizeof...(Ops)> table{
      op_counter{Ops::name, &op_cost<Ops>::count}...};
};

[[noreturn]] inline void this_op_has_no_count(std::string_view op, int from, int to) {
  throw error("crispnas::count: the op '" + std::string(op) + "' of the edge " + std::to_string(from) +
              " -> " + std::to_string(to) +
              " has no count. Ops of your own are counted by their tags: "
              "count_cifar_network<op_set<my_op>>(...), where "
              "my_op has a name and a function count(const op_place&).");
}

/// The counter of that name: the user's first, then the published ones.
constexpr const op_counter& find_counter(std::span<const op_counter> own, std::string_view op, int from,
                                         int to) {
  for (const op_counter& c : own) {
    if (c.name == op) return c;
  }
  for (const op_counter& c : op_counters<published_ops>::table) {
    if (c.name == op) return c;
  }
  this_op_has_no_count(op, from, to);
}

}  // namespace detail
}  // namespace crispnas
