// What a search leaves in its folder: genotype, metrics, weights, pictures, report, summary.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cell_files.hpp"
#include "chart.hpp"
#include "csv.hpp"
#include "errors.hpp"
#include "experiment.hpp"
#include "history.hpp"
#include "lost_flags.hpp"
#include "tensorboard.hpp"
#include "write_file.hpp"

namespace support {

/// One row per epoch, written as the epoch ends: a run that is stopped leaves what it has.
class metrics_file {
 public:
  /// `goes_on`: the rows of earlier epochs are in the file. Which columns there are, the first epoch says; an old file is empty from here
  /// on.
  metrics_file(std::filesystem::path path, bool goes_on) : path_(std::move(path)) {
    growing_file(path_, goes_on);
  }

  void add(const epoch_record& epoch) {
    const auto& report = epoch.report;
    std::vector<std::string> columns{"epoch",     "weight_rate",     "train_loss",    "train_accuracy",
                                     "arch_loss", "held_out_before", "held_out_after"};
    std::vector<std::string> row{
        fmt::format("{}", report.epoch),          fmt::format("{:.6g}", report.weight_rate),
        fmt::format("{:.6g}", report.train_loss), fmt::format("{:.4g}", report.train_accuracy),
        fmt::format("{:.6g}", report.arch_loss),  fmt::format("{:.4g}", epoch.before),
        fmt::format("{:.4g}", epoch.after)};
    for (const auto& term : report.terms) {
      columns.insert(columns.end(), {term.name, term.name + "_factor"});
      row.insert(row.end(), {fmt::format("{:.6g}", term.value), fmt::format("{:.6g}", term.factor)});
    }
    columns.emplace_back("seconds");
    row.push_back(fmt::format("{:.3f}", report.seconds));
    if (!writer_) writer_.emplace(path_, columns, true);
    writer_->row(row);
  }

 private:
  std::filesystem::path path_;
  std::optional<csv_writer> writer_;
};

/// Tensors of an epoch as numbers: of ops [edge][op], of edges [edge]; edges that do not exist are left out.
inline std::vector<std::vector<double>> op_weights_of(const cn::cell_table& cell, const cn::cell_weights& w) {
  const at::Tensor ops = w.ops.to(at::kDouble);
  std::vector<std::vector<double>> numbers;
  for (std::size_t e = 0; e < cell.edges.size(); ++e) {
    if (!cell.has(e)) continue;
    const at::Tensor row = ops[static_cast<std::int64_t>(e)].contiguous();
    numbers.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
  }
  return numbers;
}
inline std::vector<double> edge_weights_of(const cn::cell_table& cell, const cn::cell_weights& w) {
  std::vector<double> numbers;
  for (std::size_t e = 0; w.edges.defined() && e < cell.edges.size(); ++e) {
    if (cell.has(e)) numbers.push_back(w.edges[static_cast<std::int64_t>(e)].item<double>());
  }
  return numbers;
}

inline epoch_history history_of(const epoch_record& record) {
  const auto& r = record.report;
  epoch_history epoch{r.epoch,       r.weight_rate, r.train_loss, r.train_accuracy, r.arch_loss,
                      record.before, record.after,  {},           r.seconds};
  for (const auto& t : r.terms) epoch.terms.push_back({t.name, t.value, t.factor});
  return epoch;
}

/// The epochs of a search in `space`.
inline search_history history_of(const cn::space_table& space, const std::vector<epoch_record>& records) {
  search_history history = empty_history(space);
  for (const auto& record : records) {
    history.epochs.push_back(history_of(record));
    for (std::size_t type = 0; type < history.cells.size(); ++type) {
      const cn::cell_table& table = space.cell(static_cast<int>(type));
      const auto& w = record.weights.at(type);
      history.cells[type].op_weights.push_back(op_weights_of(table, w));
      if (w.edges.defined()) history.cells[type].edge_weights.push_back(edge_weights_of(table, w));
    }
  }
  return history;
}

/// One row for each epoch, cell and edge: the weight of the edge and those of its ops; written as epochs end.
class weights_file {
 public:
  /// `goes_on`: the rows of earlier epochs are in the file.
  weights_file(std::filesystem::path path, const cn::space_table& space, bool goes_on)
      : space_(space), writer_(std::move(path), columns(space), goes_on) {}

  void add(const epoch_record& epoch) {
    const auto history = history_of(space_, {epoch});
    for (const auto& cell : history.cells) {
      for (std::size_t e = 0; e < cell.edges.size(); ++e) {
        std::vector<std::string> row{
            fmt::format("{}", epoch.report.epoch), cell.name, fmt::format("{}", cell.edges[e].from),
            fmt::format("{}", cell.edges[e].to),
            cell.edge_weights.empty() ? "" : fmt::format("{:.6g}", cell.edge_weights[0][e])};
        for (const double w : cell.op_weights[0][e]) row.push_back(fmt::format("{:.6g}", w));
        writer_.row(row);
      }
    }
  }

 private:
  static std::vector<std::string> columns(const cn::space_table& space) {
    std::vector<std::string> names{"epoch", "cell", "from", "to", "edge_weight"};
    names.insert(names.end(), space.op_names.begin(), space.op_names.end());
    return names;
  }
  cn::space_table space_;
  csv_writer writer_;
};

/// The same as JSON, with what the epochs report.
inline nlohmann::json history_json(const search_history& h) {
  nlohmann::json epochs = nlohmann::json::array();
  for (std::size_t i = 0; i < h.epochs.size(); ++i) {
    const auto& e = h.epochs[i];
    nlohmann::json terms = nlohmann::json::object();
    for (const auto& t : e.terms) terms[t.name] = {{"value", t.value}, {"factor", t.factor}};
    nlohmann::json weights = nlohmann::json::object();
    for (const auto& cell : h.cells) {
      weights[cell.name] = {{"ops", cell.op_weights[i]}};
      if (!cell.edge_weights.empty()) weights[cell.name]["edges"] = cell.edge_weights[i];
    }
    epochs.push_back({{"epoch", e.epoch},
                      {"weight_rate", e.weight_rate},
                      {"train_loss", e.train_loss},
                      {"train_accuracy", e.train_accuracy},
                      {"arch_loss", e.arch_loss},
                      {"held_out_before", e.before},
                      {"held_out_after", e.after},
                      {"terms", terms},
                      {"weights", weights},
                      {"seconds", e.seconds}});
  }
  nlohmann::json edges = nlohmann::json::object();
  for (const auto& cell : h.cells) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& edge : cell.edges) list.push_back({edge.from, edge.to});
    edges[cell.name] = list;
  }
  return {{"ops", h.ops}, {"edges", edges}, {"epochs", epochs}};
}

/// A flat list of the names and values of an object, as the report shows a configuration; objects in it are taken apart.
inline std::vector<std::pair<std::string, std::string>> facts_of(const nlohmann::json& object) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      const auto more = facts_of(value);
      facts.insert(facts.end(), more.begin(), more.end());
    } else if (value.is_string()) {
      facts.emplace_back(key, value.get<std::string>());
    } else if (value.is_number_float()) {
      facts.emplace_back(key, fmt::format("{:.6g}", value.get<double>()));
    } else {
      facts.emplace_back(key, value.dump());
    }
  }
  for (auto& [name, value] : facts) std::replace(name.begin(), name.end(), '_', ' ');
  return facts;
}

/// What TensorBoard shows of an epoch.
inline scalars scalars_of(const cn::space_table& space, const epoch_record& record) {
  const search_history h = history_of(space, {record});
  const epoch_history& e = h.epochs.front();
  scalars values{{"accuracy/before", e.before},
                 {"accuracy/after", e.after},
                 {"accuracy/train", e.train_accuracy},
                 {"accuracy/lost", e.before - e.after},
                 {"loss/train", e.train_loss}};
  if (std::isfinite(e.arch_loss)) values.emplace_back("loss/arch", e.arch_loss);
  values.emplace_back("weight_rate", e.weight_rate);
  for (const auto& t : e.terms) {
    values.emplace_back("regularizer/" + t.name, t.value);
    values.emplace_back("regularizer/" + t.name + "_factor", t.factor);
  }
  for (const auto& cell : h.cells) {
    values.emplace_back("entropy/ops_" + cell.name, op_entropies(cell).front());
    if (const auto edges = edge_entropies(cell); !edges.empty())
      values.emplace_back("entropy/edges_" + cell.name, edges.front());
    for (std::size_t i = 0; i < cell.edges.size(); ++i) {
      const std::string edge = fmt::format("{}/{}-{}", cell.name, cell.edges[i].from, cell.edges[i].to);
      if (!cell.edge_weights.empty()) values.emplace_back("edge_weights_" + edge, cell.edge_weights[0][i]);
      for (std::size_t o = 0; o < h.ops.size(); ++o)
        values.emplace_back("op_weights_" + edge + "/" + h.ops[o], cell.op_weights[0][i][o]);
    }
  }
  return values;
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

/// The same in words, the headline first.
inline std::vector<std::pair<std::string, double>> gap_rows(const cn::discretization_gap_report& gap) {
  std::vector<std::pair<std::string, double>> rows{
      {"before the cut", gap.before},
      {"after the cut of ops and edges", gap.after},
      {"ops alone cut", gap.ops_cut},
      {"edges alone cut", gap.edges_cut},
      {"both cut, kept edges at their soft weight", gap.after_soft_edges}};
  if (gap.after_reestimated)
    rows.emplace_back("both cut, batch-norm statistics measured again", *gap.after_reestimated);
  return rows;
}

/// The same of what a ledger has of a gap.
inline std::vector<std::pair<std::string, double>> gap_rows(const nlohmann::json& gap) {
  cn::discretization_gap_report report;
  report.before = gap.at("before").get<double>();
  report.after = gap.at("after").get<double>();
  report.ops_cut = gap.at("ops_cut").get<double>();
  report.edges_cut = gap.at("edges_cut").get<double>();
  report.after_soft_edges = gap.at("after_soft_edges").get<double>();
  if (gap.contains("after_batch_norm_reestimated"))
    report.after_reestimated = gap.at("after_batch_norm_reestimated").get<double>();
  return gap_rows(report);
}

inline nlohmann::json scale_json(const scale& s, std::int64_t images, std::int64_t held_out) {
  return {{"channels", s.channels},     {"cells", s.cells},      {"K", s.partial},
          {"epochs", s.epochs},         {"batch", s.batch_size}, {"training_images", images},
          {"held_out_images", held_out}};
}

/// Everything else that decides a search, so that a summary says how to repeat it.
inline nlohmann::json options_json(const cn::search_options& o) {
  nlohmann::json json{{"weight_rate", o.weight_rate},
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
  return with_lost_policy(std::move(json), o);
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
