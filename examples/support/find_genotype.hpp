// Which genotype does the user mean? A known one by name, a cell of NAS-Bench-201 by number, a text, a file, standard input.
#pragma once

#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/nas_bench_201.hpp>
#include <crispnas/genotype/text.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "errors.hpp"
#include "suggest.hpp"

namespace support {

namespace cn = crispnas;

namespace detail {

inline std::string read_all(std::istream& in) {
  std::string text(cn::detail::most_text + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

inline std::string as_name(std::string text) {
  for (char& c : text) c = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

}  // namespace detail

/// What the user named: a known genotype, a number of NAS-Bench-201's table, standard input (-), a file, or a
/// text.
inline cn::genotype find_genotype(const std::string& input) {
  if (const auto* known = cn::find_known_genotype(detail::as_name(input))) return *known->value;
  if (!input.empty() && input.size() < 9 && input.find_first_not_of("0123456789") == std::string::npos) {
    return or_usage_error([&] { return cn::nas_bench_201_genotype(std::stoi(input)); });
  }
  if (input == "-") return or_usage_error([] { return cn::parse_genotype(detail::read_all(std::cin)); });
  std::error_code code;
  if (std::filesystem::is_regular_file(input, code)) {
    std::ifstream file(input, std::ios::binary);
    if (!file) throw cn::error("'" + input + "' cannot be read.");
    return or_usage_error([&] { return cn::parse_genotype(detail::read_all(file)); });
  }
  if (input.find_first_of("(|") != std::string::npos)
    return or_usage_error([&] { return cn::parse_genotype(input); });
  std::vector<std::string> names;
  names.reserve(std::size(cn::known_genotypes));
  for (const auto& k : cn::known_genotypes) names.emplace_back(k.name);
  const std::string guess = did_you_mean(detail::as_name(input), names);
  throw usage_error("'" + input + "' is neither a known genotype, nor a file, nor the text of a genotype" +
                    (guess.empty() ? ". `genotype list` lists the known ones." : guess));
}

}  // namespace support
