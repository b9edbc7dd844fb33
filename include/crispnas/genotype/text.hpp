// A genotype as text, and back, in the dialects of the published repositories (dialects/dialect.hpp).
// - darts: Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...], ...)
// - pt_darts: Genotype(normal=[[('sep_conv_3x3', 1), ('skip_connect', 0)], ...], ...)
// - fairdarts: Genotype(normal=[('sep_conv_3x3', 2, 1), ...], ...)
// - edge_list: Genotype(normal=[0->2 sep_conv_3x3, 1->4 skip_connect], normal_concat=[2, 4], ...)
// - nas_bench_201: |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|...
// The edge list begins with `inputs=1, nodes=3, ` where that does not follow from the rest.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/dialects/dialect.hpp>
#include <crispnas/genotype/dialects/fit.hpp>
#include <crispnas/genotype/dialects/read.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/reader.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace crispnas {

namespace detail {

inline std::string pair_text(std::string_view op, int from) {
  return "('" + std::string(op) + "', " + std::to_string(from) + ")";
}

inline std::string genes_text(const cell_genotype& cell, dialect d) {
  std::string text;
  const auto add = [&](const std::string& item) { text += (text.empty() ? "" : ", ") + item; };
  const auto from_to = [](const gene& g) {
    return std::to_string(g.from) + "->" + std::to_string(g.to) + " ";
  };
  switch (d) {
    case dialect::darts:
      for (const gene& g : in_node_order(cell)) add(pair_text(g.op.view(), g.from));
      break;
    case dialect::pt_darts:
      for (int to = cell.inputs; to < cell.states(); ++to) {
        std::string node;
        for (const gene& g : cell) {
          if (g.to == to) node += (node.empty() ? "" : ", ") + pair_text(g.op.view(), g.from);
        }
        add("[" + node + "]");
      }
      break;
    case dialect::fairdarts:
      for (const gene& g : cell) {
        add("('" + std::string(g.op.view()) + "', " + std::to_string(g.to) + ", " + std::to_string(g.from) +
            ")");
      }
      break;
    case dialect::snas:
      for (int to = cell.inputs; to < cell.states(); ++to) {
        for (int from = 0; from < to; ++from) {
          const gene* g = gene_on(cell, from, to);
          add(pair_text(g ? g->op.view() : std::string_view("none"), from));
        }
      }
      break;
    default:
      for (const gene& g : cell) add(from_to(g) + std::string(g.op.view()));
  }
  return "[" + text + "]";
}

inline std::string concat_text(const cell_genotype& cell, dialect d) {
  if (d == dialect::fairdarts || cell.concat == node_bits(cell.inputs, cell.nodes)) {
    return "range(" + std::to_string(cell.inputs) + ", " + std::to_string(cell.states()) + ")";
  }
  std::string text;
  for (int s = 0; s < most_states; ++s) {
    if ((cell.concat >> s) & 1U) text += (text.empty() ? "" : ", ") + std::to_string(s);
  }
  return "[" + text + "]";
}

inline std::string nas_bench_201_text(const cell_genotype& cell) {
  std::string text;
  for (int to = cell.inputs; to < cell.states(); ++to) {
    text += text.empty() ? "|" : "+|";
    for (int from = 0; from < to; ++from) {
      const gene* g = gene_on(cell, from, to);
      text += (g ? std::string(g->op.view()) : "none") + "~" + std::to_string(from) + "|";
    }
  }
  return text;
}

/// The dialect that says a genotype to the letter, order of genes included.
inline dialect exact_dialect(const genotype& g) {
  if (!g.has_reduction && fits_nas_bench_201_text(g.normal)) return dialect::nas_bench_201;
  const bool pairs = fits_darts_text(g.normal) && (!g.has_reduction || fits_darts_text(g.reduction));
  return pairs && !reads_as_all_edges(g) ? dialect::darts : dialect::edge_list;
}

[[noreturn]] inline void this_text_is_no_genotype(std::string_view text, const text_fault& fault) {
  throw error("crispnas::parse_genotype: " + fault_message(text, fault));
}

/// In a constant expression the compiler shows the arguments of this call.
constexpr void expected_at_position(std::string_view /*expected*/, std::size_t /*position*/,
                                    std::string_view text, const text_fault& fault, bool ok) {
  if (!ok) this_text_is_no_genotype(text, fault);
}

}  // namespace detail

/// The text of a genotype in a dialect. Throws crispnas::error where the dialect cannot express it: with the
/// cell and the node or edge that stands in the way, and the dialects that can.
inline std::string to_text(const genotype& g, dialect d) {
  if (const std::string problem = why_not(g, d); !problem.empty()) {
    std::string able;
    for (dialect other : dialects_for(g)) able += (able.empty() ? "" : ", ") + std::string(name_of(other));
    throw error("crispnas::to_text: the dialect '" + std::string(name_of(d)) +
                "' cannot express this genotype: " + problem + ". " +
                (able.empty() ? "No dialect can" : "These can: " + able) + ".");
  }
  if (d == dialect::nas_bench_201) return detail::nas_bench_201_text(g.normal);
  std::string text = "Genotype(";
  if (d == dialect::edge_list) {
    const int named = detail::nodes_named(g.normal);
    const int also = g.has_reduction ? detail::nodes_named(g.reduction) : 0;
    if (g.normal.inputs != 2 || (named > also ? named : also) != g.normal.nodes) {
      text +=
          "inputs=" + std::to_string(g.normal.inputs) + ", nodes=" + std::to_string(g.normal.nodes) + ", ";
    }
  }
  text += "normal=" + detail::genes_text(g.normal, d) + ", normal_concat=" + detail::concat_text(g.normal, d);
  if (g.has_reduction) {
    text += ", reduce=" + detail::genes_text(g.reduction, d) +
            ", reduce_concat=" + detail::concat_text(g.reduction, d);
  }
  return text + ")";
}

/// The text of a genotype in the dialect that says it to the letter: DARTS's or NAS-Bench-201's where they
/// do, the edge list otherwise. parse_genotype reads it back as the same genotype. Throws crispnas::error
/// where no text could.
inline std::string to_text(const genotype& g) { return to_text(g, detail::exact_dialect(g)); }

/// Reads a genotype in any dialect, also in a constant expression. Throws crispnas::error with the position,
/// what was expected and what was found; read_genotype is the same without an exception, and tells the
/// dialect.
constexpr genotype parse_genotype(std::string_view text) {
  const genotype_reading found = read_genotype(text);
  detail::expected_at_position(found.fault.expected, found.fault.position, text, found.fault, found.ok);
  return found.value;
}

}  // namespace crispnas
