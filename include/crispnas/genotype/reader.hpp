// How is genotype text read? By a cursor that knows where it is. Its first failure stays: from then on
// nothing is taken any more, so that a grammar needs no exceptions and also runs in a constant expression.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace crispnas {

/// Where a text is not what it should be, and what was expected there.
struct text_fault {
  std::size_t position = 0;   ///< in characters from the start of the text
  std::string_view expected;  ///< in words, or the very text where `verbatim`
  bool verbatim = false;
  int low = 0;  ///< where low <= high, a number in this range was expected
  int high = -1;
};

namespace detail {

inline constexpr std::size_t most_text = 65536;  ///< characters; the longest genotype takes less than 10,000

/// Whether a character may stand in the name of an op: letters, digits, and `_ - . :`.
constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

class genotype_reader {
 public:
  constexpr explicit genotype_reader(std::string_view text) : text_(text) {
    if (text.size() > most_text) fail_at(most_text, "the end of the text: at most 65536 characters are read");
  }

  constexpr bool ok() const { return ok_; }
  constexpr const text_fault& fault() const { return fault_; }

  /// Skips white space and takes `word` if it comes next.
  constexpr bool take(std::string_view word) {
    if (!peek(word)) return false;
    at_ += word.size();
    return true;
  }
  constexpr bool peek(std::string_view word) {
    const std::size_t at = next();
    return ok_ && text_.substr(at, word.size()) == word;
  }
  constexpr bool peek_digit() { return next() < text_.size() && ok_ && is_digit(text_[at_]); }
  constexpr void expect(std::string_view word) {
    if (!take(word)) fail({at_, word, true});
  }
  constexpr void expect_end() {
    if (next() != text_.size()) fail("the end of the text");
  }
  /// A number from `low` to `high`; `what` names it in the error. `low` after a failure.
  constexpr int number(int low, int high, std::string_view what) {
    const std::size_t first = next();
    int value = 0;
    std::size_t end = first;
    while (ok_ && end < text_.size() && is_digit(text_[end]) && value < 1000)
      value = value * 10 + (text_[end++] - '0');
    if (first == end || value < low || value > high) {
      fail({first, what, false, low, high});
      return low;
    }
    at_ = end;
    return value;
  }
  /// The name of an op, at most `longest` characters.
  constexpr std::string_view name(std::size_t longest) {
    const std::size_t first = next();
    std::size_t end = first;
    while (ok_ && end < text_.size() && is_name_character(text_[end])) ++end;
    if (first == end || end - first > longest) {
      fail_at(first, "the name of an op (letters, digits, _ - . :, at most 31 characters)");
      return {};
    }
    at_ = end;
    return text_.substr(first, end - first);
  }
  /// The position of what comes next, behind white space and Python's comments.
  constexpr std::size_t next() {
    while (ok_ && at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
      if (text_[at_] == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else {
        ++at_;
      }
    }
    return at_;
  }
  constexpr void go_to(std::size_t position) { at_ = position; }

  constexpr void fail(std::string_view expected) { fail_at(at_, expected); }
  constexpr void fail_at(std::size_t position, std::string_view expected) { fail({position, expected}); }
  constexpr void fail(const text_fault& fault) {
    if (ok_) fault_ = fault;
    ok_ = false;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  text_fault fault_;
  bool ok_ = true;
};

/// What can be shown on one line of a terminal.
inline std::string printable(std::string_view text) {
  std::string shown(text);
  for (char& c : shown) {
    if (is_space(c)) c = ' ';
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  }
  return shown;
}

/// "at position 33: expected ',', found '1)'." and, on two further lines, the place in the text with a caret.
inline std::string fault_message(std::string_view text, const text_fault& fault) {
  constexpr std::size_t around = 40;
  std::size_t at = fault.position < text.size() ? fault.position : text.size();
  if (at == text.size()) {
    while (at > 0 && is_space(text[at - 1])) --at;  // what ends is the last line that says something
    text = text.substr(0, at);
  }
  std::string message = "at position " + std::to_string(at);
  std::size_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < at; ++i) {
    if (text[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
  }
  if (line > 1)
    message += " (line " + std::to_string(line) + ", column " + std::to_string(at - line_start + 1) + ")";
  message += ": expected ";
  message += fault.verbatim ? "'" + std::string(fault.expected) + "'" : std::string(fault.expected);
  if (fault.low <= fault.high)
    message += " from " + std::to_string(fault.low) + " to " + std::to_string(fault.high);
  message += ", found ";
  message += at < text.size() ? "'" + printable(text.substr(at, 16)) + "'" : "the end of the text";
  const std::size_t line_end = text.find('\n', at) < text.size() ? text.find('\n', at) : text.size();
  const std::size_t first = at - line_start > around ? at - around : line_start;
  const std::size_t last = line_end - at > around ? at + around : line_end;
  const std::string dots = first > line_start ? "..." : "";
  return message + ".\n  " + dots + printable(text.substr(first, last - first)) +
         (last < line_end ? "..." : "") + "\n  " + std::string(dots.size() + at - first, ' ') + "^";
}

}  // namespace detail
}  // namespace crispnas
