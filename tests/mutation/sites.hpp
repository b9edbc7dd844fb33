// What a mutated header is made of: each place that can be wrong carries a number, and one of them, which CRISPNAS_MUTANT names, is
// wrong. So a hundred mutants cost one compilation. CRISPNAS_MUTANT_REACHED names a file for the numbers of all places that were
// reached, those with a minus where there is nothing to change (sums of texts).
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace mutation {

// One more than the number, so that nothing is wrong before these are initialized.
inline const int active = [] {
  const char* text = std::getenv("CRISPNAS_MUTANT");
  return text == nullptr ? 0 : std::atoi(text) + 1;
}();
inline const char* const record = std::getenv("CRISPNAS_MUTANT_REACHED");

inline void reach(int site, bool mutable_place) {
  static std::atomic<bool> seen[4096];
  if (seen[site].exchange(true)) return;
  if (std::FILE* file = std::fopen(record, "a")) {
    std::fprintf(file, "%s%d\n", mutable_place ? "" : "-", site);
    std::fclose(file);
  }
}

/// Whether this place is the wrong one. Never in a constant expression.
constexpr bool on(int site) {
  if (std::is_constant_evaluated()) return false;
  if (record != nullptr) reach(site, true);
  return active == site + 1;
}
/// Says that there is nothing to change.
constexpr void nothing_at(int site) {
  if (!std::is_constant_evaluated() && record != nullptr) reach(site, false);
}

template <class T>
constexpr T constant(int site, T right, T wrong) {
  return on(site) ? wrong : right;
}
constexpr bool flip(int site, bool condition) { return on(site) != condition; }

// a + plus{7} + b is a + b, or a - b where place 7 is wrong: the place takes the left operand, then the right one, at the same
// precedence.
template <class Place, class Left>
struct half {
  Left&& left;
  int site;
};

#define MUTATION_OPERATOR(name, op, wrong_op)                                                              \
  struct name {                                                                                            \
    int site;                                                                                              \
  };                                                                                                       \
  template <class Left>                                                                                    \
  constexpr half<name, Left> operator op(Left&& left, name place) {                                        \
    return {static_cast<Left&&>(left), place.site};                                                        \
  }                                                                                                        \
  template <class Left, class Right>                                                                       \
  constexpr auto operator op(half<name, Left> a, Right&& right)                                            \
      ->std::decay_t<decltype(static_cast<Left&&>(a.left) op static_cast<Right&&>(right))> {               \
    using result = std::decay_t<decltype(static_cast<Left&&>(a.left) op static_cast<Right&&>(right))>;     \
    if constexpr (requires {                                                                               \
                    static_cast<result>(static_cast<Left&&>(a.left) wrong_op static_cast<Right&&>(right)); \
                  }) {                                                                                     \
      if (on(a.site))                                                                                      \
        return static_cast<result>(static_cast<Left&&>(a.left) wrong_op static_cast<Right&&>(right));      \
    } else {                                                                                               \
      nothing_at(a.site);                                                                                  \
    }                                                                                                      \
    return static_cast<Left&&>(a.left) op static_cast<Right&&>(right);                                     \
  }
MUTATION_OPERATOR(plus, +, -)
MUTATION_OPERATOR(minus, -, +)
MUTATION_OPERATOR(times, *, /)
MUTATION_OPERATOR(over, /, *)
MUTATION_OPERATOR(modulo, %, *)
MUTATION_OPERATOR(less, <, <=)
MUTATION_OPERATOR(less_equal, <=, <)
MUTATION_OPERATOR(greater, >, >=)
MUTATION_OPERATOR(greater_equal, >=, >)
MUTATION_OPERATOR(equal, ==, !=)
MUTATION_OPERATOR(unequal, !=, ==)
MUTATION_OPERATOR(bit_and, &, |)
MUTATION_OPERATOR(bit_or, |, &)
MUTATION_OPERATOR(bit_xor, ^, |)
#undef MUTATION_OPERATOR

}  // namespace mutation
