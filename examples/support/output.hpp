// What a search leaves in its folder: genotype, metrics, pictures, summary.
#pragma once

#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/text.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "chart.hpp"
#include "csv.hpp"
#include "errors.hpp"
#include "experiment.hpp"

namespace support {

/// Writes a whole file; throws crispnas::error when it cannot.
inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  if (!file) throw cn::error("'" + path.string() + "' cannot be written. Check free space and permissions.");
}

/// One row per epoch.
inline std::string metrics_csv(const search_result& result) {
  std::string csv = "epoch,weight_rate,train_loss,train_accuracy,arch_loss,held_out_before,held_out_after";
  if (!result.epochs.empty()) {
    for (const auto& term : result.epochs.front().report.terms)
      csv += "," + term.name + "," + term.name + "_factor";
  }
  csv += ",seconds\n";
  for (const auto& [report, before, after] : result.epochs) {
    csv += fmt::format("{},{:.6g},{:.6g},{:.4g},{:.6g},{:.4g},{:.4g}", report.epoch, report.weight_rate,
                       report.train_loss, report.train_accuracy, report.arch_loss, before, after);
    for (const auto& term : report.terms) csv += fmt::format(",{:.6g},{:.6g}", term.value, term.factor);
    csv += fmt::format(",{:.3f}\n", report.seconds);
  }
  return csv;
}

/// Accuracy before and after the cut over the epochs.
inline std::string accuracy_chart(const search_result& result, const std::string& title) {
  series before{"before the cut", "#2a78c0", {}};
  series after{"after the cut", "#d0542c", {}};
  for (const auto& record : result.epochs) {
    before.values.push_back(record.before);
    after.values.push_back(record.after);
  }
  return line_chart(title, "held-out accuracy, %", 0, 100, {before, after});
}

inline nlohmann::json gap_json(const cn::discretization_gap_report& gap) {
  nlohmann::json json{{"before", gap.before},   {"after", gap.after},
                      {"ops_cut", gap.ops_cut}, {"edges_cut", gap.edges_cut},
                      {"lost", gap.lost()},     {"after_soft_edges", gap.after_soft_edges}};
  if (gap.after_reestimated) json["after_batch_norm_reestimated"] = *gap.after_reestimated;
  return json;
}

inline nlohmann::json scale_json(const scale& s, std::int64_t images, std::int64_t held_out) {
  return {{"channels", s.channels},
          {"cells", s.cells},
          {"K", s.partial},
          {"epochs", s.epochs},
          {"batch", s.batch_size},
          {"training_images", images},
          {"held_out_images", held_out},
          {"weight_rate", s.weight_rate},
          {"strength", s.strength}};
}

/// "C = 16, 3 cells, K = 4, 6 epochs of 10000 + 10000 images, batch 64": stands beside every number.
inline std::string scale_text(const scale& s, std::int64_t images, std::int64_t held_out) {
  const auto half = images / 2;
  const auto steps = s.epochs * (half / s.batch_size);
  return fmt::format(
      "C = {}, {} cells, K = {}, {} epochs of {} + {} images ({} bilevel steps of batch {}), {} held-out "
      "images",
      s.channels, s.cells, s.partial, s.epochs, half, images - half, steps, s.batch_size, held_out);
}

}  // namespace support
