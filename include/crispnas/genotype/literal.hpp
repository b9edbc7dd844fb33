// A genotype text that the compiler checks: genotype_literal<"Genotype(...)">. A text that is none is one
// error that gives the position and what was expected there.
#pragma once

#include <crispnas/genotype/dialects/read.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <cstddef>
#include <string_view>

namespace crispnas {

namespace detail {

/// A string literal as a template argument.
template <std::size_t Size>
struct literal {
  char text[Size]{};
  constexpr literal(const char (&from)[Size]) {  // NOLINT: a literal is a literal
    for (std::size_t i = 0; i < Size; ++i) text[i] = from[i];
  }
  constexpr std::string_view view() const { return {text, Size - 1}; }
};

/// Enough of the words of a fault for the compiler to show them.
struct expectation {
  char text[72]{};
  constexpr explicit expectation(std::string_view words) {
    for (std::size_t i = 0; i < words.size() && i + 1 < sizeof text; ++i) text[i] = words[i];
  }
};

inline constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

template <std::size_t Position>
concept text_is_as_expected = Position == nowhere;

/// g++ names the expectation with this type.
template <std::size_t Position, expectation Expected>
struct check_genotype_text {
  static_assert(text_is_as_expected<Position>,
                "crispnas::genotype_literal: this text is no genotype. The note gives the place of what was "
                "not expected.");
};

template <literal Text>
inline constexpr genotype_reading reading_of = read_genotype(Text.view());

template <literal Text>
using check_genotype = check_genotype_text<reading_of<Text>.ok ? nowhere : reading_of<Text>.fault.position,
                                           expectation(reading_of<Text>.fault.expected)>;

template <literal Text>
struct checked_genotype {
  static_assert(sizeof(check_genotype<Text>) > 0, "crispnas::genotype_literal: see the note.");
  static constexpr genotype value() { return reading_of<Text>.value; }
};

}  // namespace detail

/// The genotype of a text in any dialect, read by the compiler.
template <detail::literal Text>
inline constexpr genotype genotype_literal = detail::checked_genotype<Text>::value();

}  // namespace crispnas
