// In what do two configurations differ? A configuration is a list of keys and values, all as text, so that every
// difference can be named.
#pragma once

#include <algorithm>
#include <crispnas/io/printable.hpp>
#include <crispnas/io/safetensors_header.hpp>
#include <crispnas/io/sha256.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace crispnas {

namespace detail {

inline const std::string* value_of(const text_pairs& pairs, std::string_view key) {
  const auto place = std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == key; });
  return place == pairs.end() ? nullptr : &place->second;
}

}  // namespace detail

/// One sentence for each key whose value differs: "epochs: 50 there, 60 here". The order of keys does not count.
inline std::vector<std::string> differences(const text_pairs& there, const text_pairs& here) {
  std::vector<std::string> all;
  for (const auto& [key, value] : there) {
    const std::string* now = detail::value_of(here, key);
    if (now == nullptr) {
      all.push_back(printable_name(key) + ": " + printable_name(value) + " there, absent here");
    } else if (*now != value) {
      all.push_back(key + ": " + printable_name(value) + " there, " + *now + " here");
    }
  }
  for (const auto& [key, value] : here) {
    if (detail::value_of(there, key) == nullptr) all.push_back(key + ": absent there, " + value + " here");
  }
  return all;
}

/// A digest of the configuration, whatever the order of its keys.
inline std::string configuration_digest(text_pairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  sha256 digest;
  for (const auto& [key, value] : pairs) {
    for (const auto* part : {&key, &value}) digest.add(std::to_string(part->size()) + ":").add(*part);
  }
  return digest.hex();
}

}  // namespace crispnas
