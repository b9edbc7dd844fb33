// How do words that users choose get into a page? Escaped: no name can become markup or an attribute, and what is no text becomes
// the replacement character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace support {

namespace detail {

/// Length of the well-formed UTF-8 character at the beginning of `text` that XML allows; 0 where there is none.
inline std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 ? (first == 0x7f ? 0 : 1) : (first == '\t' || first == '\n');
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  unsigned value = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
    value = value << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return overlong || surrogate || value > 0x10ffff || value == 0xfffe || value == 0xffff ? 0 : length;
}

}  // namespace detail

/// For the text of an element and for an attribute in double or single quotes, in HTML and XML.
inline std::string markup(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = detail::character_length(text.substr(i));
    const std::string_view character = text.substr(i, length);
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (character == "<") {
      out += "&lt;";
    } else if (character == ">") {
      out += "&gt;";
    } else if (character == "&") {
      out += "&amp;";
    } else if (character == "\"") {
      out += "&quot;";
    } else if (character == "'") {
      out += "&#39;";
    } else {
      out += character;
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace support
