// What a search leaves in its folder: genotype, metrics, pictures, summary.
#pragma once

#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/text.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chart.hpp"
#include "csv.hpp"
#include "errors.hpp"
#include "experiment.hpp"
#include "write_file.hpp"

namespace support {

/// One row per epoch, written as the epoch ends: a run that is stopped leaves what it has.
class metrics_file {
 public:
  explicit metrics_file(std::filesystem::path path) : path_(std::move(path)) {}

  void add(const epoch_record& epoch) {
    const auto& [report, before, after] = epoch;
    std::vector<std::string> columns{"epoch",     "weight_rate",     "train_loss",    "train_accuracy",
                                     "arch_loss", "held_out_before", "held_out_after"};
    std::vector<std::string> row{fmt::format("{}", report.epoch),
                                 fmt::format("{:.6g}", report.weight_rate),
                                 fmt::format("{:.6g}", report.train_loss),
                                 fmt::format("{:.4g}", report.train_accuracy),
                                 fmt::format("{:.6g}", report.arch_loss),
                                 fmt::format("{:.4g}", before),
                                 fmt::format("{:.4g}", after)};
    for (const auto& term : report.terms) {
      columns.insert(columns.end(), {term.name, term.name + "_factor"});
      row.insert(row.end(), {fmt::format("{:.6g}", term.value), fmt::format("{:.6g}", term.factor)});
    }
    columns.emplace_back("seconds");
    row.push_back(fmt::format("{:.3f}", report.seconds));
    if (!writer_) writer_.emplace(path_, columns);
    writer_->row(row);
  }

 private:
  std::filesystem::path path_;
  std::optional<csv_writer> writer_;
};

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
  return {{"channels", s.channels},     {"cells", s.cells},      {"K", s.partial},
          {"epochs", s.epochs},         {"batch", s.batch_size}, {"training_images", images},
          {"held_out_images", held_out}};
}

/// Everything else that decides a search, so that a summary says how to repeat it.
inline nlohmann::json options_json(const cn::search_options& o) {
  return {{"weight_rate", o.weight_rate},
          {"last_weight_rate", o.last_weight_rate},
          {"momentum", o.momentum},
          {"weight_decay", o.weight_decay},
          {"clip", o.clip},
          {"alpha_rate", o.alpha_rate},
          {"beta_rate", o.beta_rate},
          {"adam_betas", {o.adam_beta1, o.adam_beta2}},
          {"arch_decay", o.arch_decay},
          {"alpha_warmup", o.alpha_warmup},
          {"beta_warmup", o.beta_warmup},
          {"strength", o.strength},
          {"crop_padding", o.augment.crop_padding},
          {"flip", o.augment.flip},
          {"cutout", o.augment.cutout}};
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
