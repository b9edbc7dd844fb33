// How is the little JSON of a file header read? By a cursor over bounded text: strings, whole numbers and
// punctuation. Every refusal names the byte and what was expected there (RFC 8259; UTF-8 is checked).
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace crispnas::detail {

/// The length of the valid UTF-8 sequence at the beginning of `text`; 0 where there is none.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  // The second byte rules out overlong forms, surrogates and what is above U+10FFFF.
  if (first >= 0xE0 && first <= 0xEF) {
    return follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

class json_cursor {
 public:
  /// `what` names the text in messages.
  json_cursor(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw error(std::string(what_) + ", byte " + std::to_string(at_) + ": " + expected);
  }

  /// Takes `c`, after white space, if it comes next.
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' is expected here.");
  }

  /// Whether a list or an object goes on: a comma, then another element; or its `close`.
  bool next(char close, bool first) {
    if (take(close)) return false;
    if (!first) expect(',');
    return true;
  }

  std::uint64_t integer() {
    skip_space();
    constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
    const std::size_t begin = at_;
    std::uint64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > (largest - digit) / 10) fail("this number is larger than 2^63 - 1.");
      value = 10 * value + digit;
    }
    if (at_ == begin) fail("a whole number, not negative, is expected here.");
    if (text_[begin] == '0' && at_ - begin > 1) fail("a number does not begin with 0.");
    return value;
  }

  std::string string() {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != '"') fail("a string is expected here.");
    ++at_;
    std::string value;
    while (true) {
      if (at_ >= text_.size()) fail("the text ends inside of a string.");
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20)
        fail("a control character inside of a string is to be escaped.");
      if (c == '\\') {
        escape(value);
        continue;
      }
      const std::size_t length = utf8_length(text_.substr(at_));
      if (length == 0) fail("this is not UTF-8.");
      value.append(text_.substr(at_, length));
      at_ += length;
    }
    ++at_;
    return value;
  }

  void end() {
    skip_space();
    if (at_ != text_.size()) fail("nothing but white space is expected after the object.");
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  void escape(std::string& value) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_ >= text_.size()) fail("the text ends inside of a string.");
    const std::size_t known = letters.find(text_[at_]);
    if (known != std::string_view::npos) {
      value += meanings[known];
      ++at_;
      return;
    }
    if (text_[at_] != 'u') fail("an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX.");
    std::uint32_t code = four_hex_digits();
    if (code >= 0xDC00 && code <= 0xDFFF) fail("the second half of a surrogate pair has no first half.");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (at_ + 1 >= text_.size() || text_[at_] != '\\' || text_[at_ + 1] != 'u') {
        fail("the second half of a surrogate pair is expected here.");
      }
      ++at_;
      const std::uint32_t low = four_hex_digits();
      if (low < 0xDC00 || low > 0xDFFF) fail("the second half of a surrogate pair was expected.");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(value, code);
  }

  /// Reads uXXXX; stands on the `u`.
  std::uint32_t four_hex_digits() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      ++at_;
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        digit = static_cast<std::uint32_t>((c | 0x20) - 'a') + 10;
      } else {
        fail("four hexadecimal digits are expected after \\u.");
      }
      code = code * 16 + digit;
    }
    ++at_;
    return code;
  }

  static void append_utf8(std::string& value, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) {
      value += static_cast<char>(static_cast<unsigned char>(byte));
    };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6));
      put(0x80 | (code & 0x3F));
    } else {
      if (code < 0x10000) {
        put(0xE0 | (code >> 12));
      } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
      }
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

/// `text` as a JSON string, quotes included.
inline std::string json_quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      quoted += "\\u00";
      quoted += digits[byte >> 4];
      quoted += digits[byte & 0xF];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace crispnas::detail
