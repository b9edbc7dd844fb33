// Is it the same? A short name of some bytes (FNV-1a, 64 bits): equal bytes have equal names, and a chance change keeps one with a
// probability of 2^-64. Not against forgers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace support {

inline std::uint64_t fnv1a(const void* data, std::size_t bytes, std::uint64_t state = 0xcbf29ce484222325ULL) {
  const auto* byte = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) state = (state ^ byte[i]) * 0x100000001b3ULL;
  return state;
}

/// 16 hexadecimal digits.
inline std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

inline std::string fingerprint(std::string_view text) { return hex(fnv1a(text.data(), text.size())); }

}  // namespace support
