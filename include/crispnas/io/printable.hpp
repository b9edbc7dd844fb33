// How is a name shown that comes out of a file? A file can hold any characters; a terminal obeys some of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crispnas {

/// `text` in printable ASCII: all other bytes as \xNN, the end as "..." where it is longer than `most` characters.
inline std::string printable_name(std::string_view text, std::size_t most = 200) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string shown;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 32 && byte < 127) {
      shown += c;
    } else {
      shown += "\\x";
      shown += digits[byte >> 4U];
      shown += digits[byte & 15U];
    }
  }
  return text.size() > most ? shown + "..." : shown;
}

}  // namespace crispnas
