// Which operations compete on every edge? An op set: an ordered list of op tags. The order is the order of
// alpha's columns, of ties and of published parameter names.
#pragma once

#include <array>
#include <crispnas/spec/op.hpp>
#include <cstddef>
#include <string_view>

namespace crispnas {

namespace detail {

template <class T>
concept is_an_operation = operation<T>;

template <class T>
struct require_operation {
  static_assert(is_an_operation<T>,
                "crispnas::op_set: this type is not an operation. An operation is a struct with a name: "
                "static constexpr std::string_view name = \"my_op\"; (see crispnas::ops).");
};

template <class T>
constexpr std::string_view name_of() {
  if constexpr (operation<T>) {
    return T::name;
  } else {
    return {};
  }
}

template <std::size_t N>
constexpr bool all_different(const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = i + 1; j < N; ++j) {
      if (!names[i].empty() && names[i] == names[j]) return false;
    }
  }
  return true;
}

/// A name stands in genotypes of every dialect: letters, digits, _ . - and at most 31 of them.
constexpr bool is_a_writable_name(std::string_view name) {
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '.' && c != '-') return false;
  }
  return !name.empty() && name.size() <= std::size_t{longest_op_name};
}

template <class T>
concept has_a_writable_name = is_a_writable_name(name_of<T>());

template <class T>
struct require_writable_name {
  static_assert(
      !is_an_operation<T> || has_a_writable_name<T>,
      "crispnas::op_set: this operation's name cannot be written into a genotype. A name has 1 to 31 "
      "letters, digits, '_', '.' or '-'.");
};

template <int Size>
concept has_an_operation = Size >
0;

}  // namespace detail

/// An ordered set of operations. `size` operations, `names` in order.
template <class... Ops>
struct op_set {
  static constexpr int size = sizeof...(Ops);
  static constexpr std::array<std::string_view, sizeof...(Ops)> names{detail::name_of<Ops>()...};

  static_assert(detail::has_an_operation<size>,
                "crispnas::op_set: the set is empty. Name at least one operation.");
  static_assert(((sizeof(detail::require_operation<Ops>) > 0) && ...),
                "crispnas::op_set: see the note above.");
  static_assert(((sizeof(detail::require_writable_name<Ops>) > 0) && ...),
                "crispnas::op_set: see the note above.");
  static_assert(detail::all_different(names),
                "crispnas::op_set: an operation is named twice. Every operation has one column in alpha.");
};

/// The paper's set: the DARTS space without `none` (section 4.1).
using darts_ops = op_set<ops::max_pool_3x3, ops::avg_pool_3x3, ops::skip_connect, ops::sep_conv_3x3,
                         ops::sep_conv_5x5, ops::dil_conv_3x3, ops::dil_conv_5x5>;

/// The DARTS space as DARTS and PC-DARTS search it, with `none`.
using darts_ops_with_none =
    op_set<ops::none, ops::max_pool_3x3, ops::avg_pool_3x3, ops::skip_connect, ops::sep_conv_3x3,
           ops::sep_conv_5x5, ops::dil_conv_3x3, ops::dil_conv_5x5>;

/// The NAS-Bench-201 set in the order of its published code.
using nas_bench_201_ops =
    op_set<ops::none, ops::skip_connect, ops::nor_conv_1x1, ops::nor_conv_3x3, ops::avg_pool_3x3>;

}  // namespace crispnas
