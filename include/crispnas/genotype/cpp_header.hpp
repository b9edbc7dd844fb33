// How does a found cell get into somebody's program? As a header: the genotype as a constant that the compiler reads again, and,
// where LibTorch is, the type of its network.
#pragma once

#include <array>
#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/text.hpp>
#include <string>
#include <string_view>

namespace crispnas {

namespace detail {

/// Whether a name can be that of a constant, and with `_network` behind it that of a type.
constexpr bool is_cpp_name(std::string_view name) {
  constexpr std::array<std::string_view, 95> reserved{
      "alignas",     "alignof",   "and",        "and_eq",    "asm",      "auto",         "bitand",
      "bitor",       "bool",      "break",      "case",      "catch",    "char",         "char8_t",
      "char16_t",    "char32_t",  "class",      "compl",     "concept",  "const",        "consteval",
      "constexpr",   "constinit", "const_cast", "continue",  "co_await", "co_return",    "co_yield",
      "decltype",    "default",   "delete",     "do",        "double",   "dynamic_cast", "else",
      "enum",        "explicit",  "export",     "extern",    "false",    "float",        "for",
      "friend",      "goto",      "if",         "inline",    "int",      "long",         "mutable",
      "namespace",   "new",       "noexcept",   "not",       "not_eq",   "nullptr",      "operator",
      "or",          "or_eq",     "private",    "protected", "public",   "register",     "reinterpret_cast",
      "requires",    "return",    "short",      "signed",    "sizeof",   "static",       "static_assert",
      "static_cast", "struct",    "switch",     "template",  "this",     "thread_local", "throw",
      "true",        "try",       "typedef",    "typeid",    "typename", "union",        "unsigned",
      "using",       "virtual",   "void",       "volatile",  "wchar_t",  "while",        "xor",
      "xor_eq",      "std",       "main",       "crispnas"};
  // The last three mean something already; names with two underscores, or one in front, are the implementation's.
  if (name.empty() || name.front() == '_' || name.find("__") != std::string_view::npos) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  for (const auto word : reserved) {
    if (name == word) return false;
  }
  return true;
}

/// A text as a string literal of C++, broken into lines where it is long.
inline std::string cpp_string(std::string_view text, std::string_view indent) {
  constexpr std::size_t longest = 80;
  std::string out = std::string(indent) + "\"";
  std::size_t line = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    std::string piece(1, c);
    if (c == '"' || c == '\\') {
      piece.insert(0, 1, '\\');
    } else if (byte < 0x20 || byte > 0x7e) {
      piece = {'\\', static_cast<char>('0' + byte / 64), static_cast<char>('0' + byte / 8 % 8),
               static_cast<char>('0' + byte % 8)};
    }
    out += piece;
    line += piece.size();
    if (line >= longest && (c == ' ' || c == '|')) {
      out += "\"\n" + std::string(indent) + "\"";
      line = 0;
    }
  }
  return out + '"';
}

}  // namespace detail

/// A header that defines `name`, a constant equal to `found`, and `name`_network, the type of its derived network. Needs
/// crispnas::spec alone, the type crispnas::crispnas. Throws crispnas::error where `name` cannot be a name, and as to_text.
inline std::string to_cpp_header(const genotype& found, std::string_view name = "found") {
  if (!detail::is_cpp_name(name)) {
    throw error("crispnas::to_cpp_header: '" + std::string(name) +
                "' cannot be the name of a constant in C++. Take letters, digits and single underscores, "
                "such as 'found'.");
  }
  const std::string constant(name);
  return "// A cell found by crispnas: the constant " + constant + ", and the type of its network, " +
         constant +
         "_network, where LibTorch is.\n#pragma once\n\n#include <crispnas/genotype/literal.hpp>\n\n"
         "inline constexpr crispnas::genotype " +
         constant + " = crispnas::genotype_literal<\n" + detail::cpp_string(to_text(found), "    ") +
         ">;\n\n#if __has_include(<torch/types.h>)\n#include "
         "<crispnas/derived/derived_network.hpp>\n\nusing " +
         constant + "_network = crispnas::derived_network<" + constant + ">;\n#endif\n";
}

}  // namespace crispnas
