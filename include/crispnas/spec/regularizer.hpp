// What is added to the loss? A regularizer. This layer holds only its structure: which terms, which schedules (equation 7).
// The terms are computed in loss/.
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
template <schedule S>
struct lambda_c {
  using lambda_c_schedule = S;
};
template <schedule S>
struct lambda_1 {
  using lambda_1_schedule = S;
};
template <schedule S>
struct lambda_2 {
  using lambda_2_schedule = S;
};

namespace detail {

template <class... Factors>
struct da2s_factors : Factors... {};

template <class F, class Default>
struct pick_lambda_c { using type = Default; };
template <class F, class Default>
  requires requires { typename F::lambda_c_schedule; }
struct pick_lambda_c<F, Default> { using type = typename F::lambda_c_schedule; };

template <class F, class Default>
struct pick_lambda_1 { using type = Default; };
template <class F, class Default>
  requires requires { typename F::lambda_1_schedule; }
struct pick_lambda_1<F, Default> { using type = typename F::lambda_1_schedule; };

template <class F, class Default>
struct pick_lambda_2 { using type = Default; };
template <class F, class Default>
  requires requires { typename F::lambda_2_schedule; }
struct pick_lambda_2<F, Default> { using type = typename F::lambda_2_schedule; };

}  // namespace detail

/// The paper's regularizer, equation 7: lambda_c (lambda_alpha L_O + lambda_beta L_E), lambda_alpha = lambda_1,
/// lambda_beta = 4 lambda_2. Defaults are table 3's best: linear, delayed log, constant. Any of
/// lambda_c<S>, lambda_1<S>, lambda_2<S> in any order replaces one.
template <class... Factors>
struct da2s {
  using slot = slots::regularizer;
  using factors = detail::da2s_factors<Factors...>;
  using c = typename detail::pick_lambda_c<factors, schedules::linear>::type;
  using op = typename detail::pick_lambda_1<factors, schedules::delayed<schedules::logarithmic>>::type;
  using edge = typename detail::pick_lambda_2<factors, schedules::constant>::type;
  static constexpr bool has_edge_term = true;
};

/// The regularizer of the authors' published code: its shifted log for the ops, 0.1 on the whole, 0.2 on the distance.
struct da2s_authors_code {
  using slot = slots::regularizer;
  using c = schedules::linear;
  using op = authors_schedules::logarithmic;
  using edge = schedules::constant;
  static constexpr bool has_edge_term = true;
};

/// Nothing is added (DARTS, PC-DARTS).
struct no_regularizer {
  using slot = slots::regularizer;
  static constexpr bool has_edge_term = false;
};

}  // namespace crispnas
