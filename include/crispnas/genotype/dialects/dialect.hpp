// In which dialects is a genotype written? Those of the published repositories, and the library's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace crispnas {

/// A form of genotype text. Each names who writes it so; to_text and parse_genotype (text.hpp) speak all of
/// them.
enum class dialect : std::uint8_t {
  darts,      ///< [('op', from), ...]: two pairs for every node, in node order. DARTS, PC-DARTS, P-DARTS, ...
  pt_darts,   ///< [[('op', from), ...], ...]: one list of pairs for every node. pt.darts, AutoDL
  fairdarts,  ///< [('op', to, from), ...]: any edges; the output is every node that has an op. FairDARTS
  snas,       ///< [('op', from), ...]: one pair for each of all edges, 'none' where there is none. SNAS
  nas_bench_201,  ///< |op~0|+|op~0|op~1|: one input, one op on each of all edges, the last node is the output
  edge_list,      ///< [from->to op, ...]: anything. The library's own
};

/// In the order of `dialect`.
inline constexpr std::array<std::string_view, 6> dialect_names{"darts", "pt_darts",      "fairdarts",
                                                               "snas",  "nas_bench_201", "edge_list"};

constexpr std::string_view name_of(dialect d) { return dialect_names[static_cast<std::size_t>(d)]; }

/// The dialect of that name, if there is one.
constexpr std::optional<dialect> find_dialect(std::string_view name) {
  for (std::size_t i = 0; i < dialect_names.size(); ++i) {
    if (dialect_names[i] == name) return static_cast<dialect>(i);
  }
  return std::nullopt;
}

}  // namespace crispnas
