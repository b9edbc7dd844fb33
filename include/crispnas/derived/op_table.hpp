// Which module stands behind the name of an op in a genotype? The published ops by name, and a user's own by an op set.
#pragma once

#include <array>
#include <crispnas/error.hpp>
#include <crispnas/genotype/count/ops.hpp>
#include <crispnas/nn/op.hpp>
#include <span>
#include <string>
#include <string_view>

namespace crispnas {

/// An op as a derived network finds it.
struct named_op {
  std::string_view name;
  nn::op_factory make = nullptr;
};

namespace detail {
template <class OpSet>
struct named_ops;
template <template <class...> class Set, class... Ops>
struct named_ops<Set<Ops...>> {
  static constexpr std::array<named_op, sizeof...(Ops)> table{
      named_op{Ops::name, &nn::op_builder<Ops>::make}...};
};
}  // namespace detail

/// The ops of an op set by name; by default all that are published.
template <class OpSet = published_ops>
constexpr std::span<const named_op> named_ops() {
  return detail::named_ops<OpSet>::table;
}

/// The module behind a name. Throws crispnas::error that lists what there is.
inline nn::op_factory find_op_factory(std::span<const named_op> ops, std::string_view name) {
  std::string known;
  for (const named_op& op : ops) {
    if (op.name == name) return op.make;
    known += (known.empty() ? "" : ", ") + std::string(op.name);
  }
  throw error("crispnas::derived_network: there is no op '" + std::string(name) + "'. There are " + known +
              "; ops of your own are given as named_ops<op_set<...>>().");
}

}  // namespace crispnas
