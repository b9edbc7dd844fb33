// Which valid word did the user mean? The nearest one, if it is near enough to be worth a guess.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// The fewest letters to insert, delete or replace that turn `a` into `b` (Levenshtein).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

/// The nearest of `valid`, the first of equals. Nothing if more than half of the longer word would have to
/// change.
inline std::optional<std::string> nearest(std::string_view given, std::span<const std::string> valid) {
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const auto& word : valid) {
    const std::size_t distance = edit_distance(given, word);
    if (2 * distance > std::max(given.size(), word.size())) continue;
    if (!best || distance < best_distance) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

/// "; did you mean 'x'?", or nothing.
inline std::string did_you_mean(std::string_view given, std::span<const std::string> valid) {
  const auto word = nearest(given, valid);
  return word ? "; did you mean '" + *word + "'?" : std::string();
}

}  // namespace support
