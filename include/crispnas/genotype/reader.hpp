// How is genotype text read? By a cursor that knows where it is: every error carries the position, what was
// expected there, and what stands there. The readers of all dialects use it, also in constant expressions.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace crispnas::detail {

/// Whether a character may stand in the name of an op: letters, digits, and `_ - . :`.
constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}

class genotype_reader {
 public:
  constexpr explicit genotype_reader(std::string_view text) : text_(text) {}

  /// Skips white space and takes `word` if it comes next.
  constexpr bool take(std::string_view word) {
    spaces();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  constexpr void expect(std::string_view word) {
    if (!take(word)) fail_word(word);
  }
  constexpr void expect_end() {
    spaces();
    if (at_ != text_.size()) fail("the end of the text");
  }
  /// A number from `low` to `high`; `what` names it in the error.
  constexpr int number(int low, int high, std::string_view what) {
    const std::size_t first = next();
    int value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && value < 1000)
      value = value * 10 + (text_[at_++] - '0');
    if (first == at_ || value < low || value > high) {
      at_ = first;
      fail_range(what, low, high);
    }
    return value;
  }
  constexpr op_name name() {
    const std::size_t first = next();
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    if (first == at_ || at_ - first > op_name::capacity) {
      at_ = first;
      fail("the name of an op (letters, digits, _ - . :, at most 31 characters)");
    }
    return op_name(text_.substr(first, at_ - first));
  }
  /// The position of what comes next.
  constexpr std::size_t next() {
    spaces();
    return at_;
  }
  constexpr void go_to(std::size_t position) { at_ = position; }

  [[noreturn]] void fail(std::string_view expected) const {
    const std::string found =
        at_ < text_.size() ? "'" + std::string(text_.substr(at_, 16)) + "'" : "the end of the text";
    throw error("crispnas::parse_genotype: at position " + std::to_string(at_) + ": expected " +
                std::string(expected) + ", found " + found + ".");
  }

 private:
  constexpr void spaces() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  [[noreturn]] void fail_word(std::string_view word) const { fail("'" + std::string(word) + "'"); }
  [[noreturn]] void fail_range(std::string_view what, int low, int high) const {
    fail(std::string(what) + " from " + std::to_string(low) + " to " + std::to_string(high));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace crispnas::detail
