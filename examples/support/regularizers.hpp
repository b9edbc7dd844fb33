// Equation 7 with schedules by name, "delayed " in front of one where it begins at 8/50 of the epochs (table 3).
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/loss/da2s.hpp>
#include <string>

#include "schedules.hpp"

namespace support {

namespace detail {

template <class C, class Op, class Edge>
cn::regularizer_function terms() {
  return &cn::regularizer_terms<cn::da2s<cn::lambda_c<C>, cn::lambda_1<Op>, cn::lambda_2<Edge>>>::at;
}

/// Calls `with` with the type of a schedule.
template <class With>
cn::regularizer_function with_schedule(const std::string& name, With with) {
  namespace s = cn::schedules;
  if (name == "const") return with(s::constant{});
  if (name == "log") return with(s::logarithmic{});
  if (name == "exp") return with(s::exponential{});
  if (name == "step") return with(s::step{});
  if (name == "linear") return with(s::linear{});
  throw cn::error("there is no schedule '" + name + "'.");
}

}  // namespace detail

/// Equation 7 with the schedules of lambda_c, lambda_1 and lambda_2. Compiled in: those of table 2 (any, const, const) and table 3
/// (linear, with one of the two const and the other one delayed).
inline cn::regularizer_function da2s_with(const std::string& c, const std::string& op,
                                          const std::string& edge) {
  namespace s = cn::schedules;
  const std::string delayed = "delayed ";
  if (op == "const" && edge == "const")
    return detail::with_schedule(c, []<class S>(S) { return detail::terms<S, s::constant, s::constant>(); });
  if (c == "linear" && op.starts_with(delayed) && edge == "const") {
    return detail::with_schedule(op.substr(delayed.size()), []<class S>(S) {
      return detail::terms<s::linear, s::delayed<S>, s::constant>();
    });
  }
  if (c == "linear" && op == "const" && edge.starts_with(delayed)) {
    return detail::with_schedule(edge.substr(delayed.size()), []<class S>(S) {
      return detail::terms<s::linear, s::constant, s::delayed<S>>();
    });
  }
  throw cn::error("the schedules '" + c + "', '" + op + "', '" + edge + "' are not compiled in together.");
}

}  // namespace support
