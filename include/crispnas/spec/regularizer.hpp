// What is added to the loss? A regularizer. This layer holds only its structure: which terms, which schedules
// (equation 7). The terms are computed in loss/.
#pragma once

#include <concepts>
#include <crispnas/spec/schedule.hpp>
#include <crispnas/spec/slot.hpp>

namespace crispnas {

/// A regularizer names its slot and says whether one of its terms is a function of the edge weights.
/// Your own: see loss/regularizer.hpp for the function that computes its terms.
template <class T>
concept regularizer = requires {
  typename T::slot;
  { T::has_edge_term } -> std::convertible_to<bool>;
};

/// Slots of da2s<>: the factor of the whole term, of the op entropy, and of the edge terms.
template <class S>
struct lambda_c {
  using schedule = S;
  static_assert(sizeof(detail::require_schedule<S>) > 0, "crispnas::lambda_c: see the note.");
};
template <class S>
struct lambda_1 {
  using schedule = S;
  static_assert(sizeof(detail::require_schedule<S>) > 0, "crispnas::lambda_1: see the note.");
};
template <class S>
struct lambda_2 {
  using schedule = S;
  static_assert(sizeof(detail::require_schedule<S>) > 0, "crispnas::lambda_2: see the note.");
};

namespace detail {

template <template <class> class Factor, class T>
inline constexpr bool is_factor = false;
template <template <class> class Factor, class S>
inline constexpr bool is_factor<Factor, Factor<S>> = true;

template <template <class> class Factor, class Default, class... Factors>
struct pick_factor {
  using type = Default;
};
template <template <class> class Factor, class Default, class First, class... Rest>
struct pick_factor<Factor, Default, First, Rest...> : pick_factor<Factor, Default, Rest...> {};
template <template <class> class Factor, class Default, class S, class... Rest>
struct pick_factor<Factor, Default, Factor<S>, Rest...> {
  static_assert(sizeof(Factor<S>) > 0, "crispnas::da2s: see the note.");
  using type = std::conditional_t<is_a_schedule<S>, S, Default>;  // a mistake is said once
};

template <class T>
inline constexpr int factors_named = int(is_factor<lambda_c, T>) + int(is_factor<lambda_1, T>) +
                                     int(is_factor<lambda_2, T>);

template <class T>
concept is_a_factor_of_the_loss = factors_named<T>
== 1;

template <class T>
struct require_factor {
  static_assert(is_a_factor_of_the_loss<T>,
                "crispnas::da2s: this type is no factor of the loss. Name lambda_c<S>, lambda_1<S> or "
                "lambda_2<S>, each with a "
                "schedule S.");
};

template <int TimesNamed>
concept is_named_at_most_once = TimesNamed <= 1;

template <int TimesNamed>
struct require_one_factor {
  static_assert(is_named_at_most_once<TimesNamed>,
                "crispnas::da2s: a factor is named twice. Take one of them out.");
};

}  // namespace detail

/// The paper's regularizer, equation 7: lambda_c (lambda_alpha L_O + lambda_beta L_E), lambda_alpha =
/// lambda_1, lambda_beta = 4 lambda_2. Defaults are table 3's best: linear, delayed log, constant. Any of
/// lambda_c<S>, lambda_1<S>, lambda_2<S> in any order replaces one.
template <class... Factors>
struct da2s {
  using slot = slots::regularizer;
  static_assert(((sizeof(detail::require_factor<Factors>) > 0) && ...), "crispnas::da2s: see the note.");
  static_assert(
      sizeof(detail::require_one_factor<(0 + ... + int(detail::is_factor<lambda_c, Factors>))>) > 0 &&
      sizeof(detail::require_one_factor<(0 + ... + int(detail::is_factor<lambda_1, Factors>))>) > 0 &&
      sizeof(detail::require_one_factor<(0 + ... + int(detail::is_factor<lambda_2, Factors>))>) > 0);
  using c = typename detail::pick_factor<lambda_c, schedules::linear, Factors...>::type;
  using op =
      typename detail::pick_factor<lambda_1, schedules::delayed<schedules::logarithmic>, Factors...>::type;
  using edge = typename detail::pick_factor<lambda_2, schedules::constant, Factors...>::type;
  static constexpr bool has_edge_term = true;
};

/// The regularizer of the authors' published code: its shifted log for the ops, 0.1 on the whole, 0.2 on the
/// distance.
struct da2s_authors_code {
  using slot = slots::regularizer;
  using c = schedules::linear;
  using op = authors_schedules::logarithmic;
  using edge = schedules::constant;
  static constexpr bool has_edge_term = true;
};

/// FairDARTS: minus Factor times the mean squared distance of the op weights to 1/2, so that sigmoids leave it for 0
/// or 1.
template <int Factor = 10>
struct separation {
  using slot = slots::regularizer;
  static constexpr bool has_edge_term = false;
};

/// Nothing is added (DARTS, PC-DARTS).
struct no_regularizer {
  using slot = slots::regularizer;
  static constexpr bool has_edge_term = false;
};

}  // namespace crispnas
