// How is a regularizer evaluated? By its terms. Your own regularizer is a type with a slot, has_edge_term, and
//   static loss_terms at(const architecture&, int epoch, int epochs);
#pragma once

#include <concepts>
#include <crispnas/loss/terms.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/supernet/architecture.hpp>

namespace crispnas {

template <class R>
concept computes_its_terms = requires(const architecture& arch, int epoch) {
  { R::at(arch, epoch, epoch) } -> std::convertible_to<loss_terms>;
};

/// The terms of a regularizer in an epoch (counted from 1). Specialized for the library's own; a user's regularizer brings `at`.
template <class R>
struct regularizer_terms {
  static_assert(computes_its_terms<R>,
                "crispnas::regularizer_terms: this regularizer has no terms. Give it a function: static "
                "crispnas::loss_terms "
                "at(const crispnas::architecture&, int epoch, int epochs).");
  static loss_terms at(const architecture& arch, int epoch, int epochs) { return R::at(arch, epoch, epochs); }
};

template <>
struct regularizer_terms<no_regularizer> {
  static loss_terms at(const architecture&, int, int) { return {}; }
};

/// How the non-template code calls it.
using regularizer_function = loss_terms (*)(const architecture&, int epoch, int epochs);

}  // namespace crispnas
