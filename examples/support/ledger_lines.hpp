// What may stand in a line of the ledger, and how long can it get? The shape of a result by its kind. A sum of a line tells damage, not
// intent: whoever edits a line can make it again. What was checked here, tables and figures read without looking.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/printable.hpp>
#include <crispnas/spec/cell.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace support {

namespace detail {

/// Part of a result: it says what is wrong with it, and where.
class result_part {
 public:
  result_part(const nlohmann::json& value, std::string where) : value_(value), where_(std::move(where)) {}

  const nlohmann::json& value() const { return value_; }
  [[noreturn]] void fail(const std::string& what) const {
    throw crispnas::error("it has no result that can be shown: " + where_ + " " + what);
  }
  const result_part& hold(bool right, const char* what) const {
    if (!right) fail(std::string("is not ") + what);
    return *this;
  }

  result_part member(const char* key) const {
    hold(value_.is_object(), "an object");
    const auto found = value_.find(key);
    if (found == value_.end()) fail("has no \"" + std::string(key) + "\"");
    return {*found, where_ + ", \"" + key + "\""};
  }
  bool has(const char* key) const { return value_.is_object() && value_.contains(key); }
  /// Element `i` of a list that was checked for its length.
  result_part at(std::size_t i) const { return {value_[i], where_ + " " + std::to_string(i + 1)}; }
  const result_part& list(std::size_t least, std::size_t most, const char* what) const {
    return hold(value_.is_array() && value_.size() >= least && value_.size() <= most, what);
  }

  void is_number() const { hold(value_.is_number(), "a number"); }
  /// JSON has no NaN: null stands for what is not known.
  void is_number_or_null() const { hold(value_.is_number() || value_.is_null(), "a number"); }
  void is_percent() const {
    const bool within = value_.is_number() && value_.get<double>() >= 0.0 && value_.get<double>() <= 100.0;
    hold(within, "a number from 0 to 100");
  }
  void is_count() const {
    const bool within = value_.is_number_integer() && value_.get<double>() >= 0.0 &&
                        value_.get<double>() <= double(std::numeric_limits<int>::max());
    hold(within, "a whole number");
  }
  void are_weights(std::size_t count, const char* what) const {
    list(count, count, what);
    for (std::size_t i = 0; i < count; ++i)
      if (!value_[i].is_number()) at(i).is_number();
  }
  /// Of a cell; "" where it was left without ops, which no network can be made of.
  void is_genotype() const {
    hold(value_.is_string(), "a text");
    const auto& text = value_.get_ref<const std::string&>();
    if (text.empty()) return;
    crispnas::genotype found;
    try {
      found = crispnas::parse_genotype(text);
    } catch (const crispnas::error& e) {
      fail("is no genotype: " + std::string(e.what()));
    }
    hold(found.has_reduction && found.normal.inputs == 2 && found.reduction.inputs == 2,
         "a normal and a reduction cell of two inputs");
  }

 private:
  const nlohmann::json& value_;
  std::string where_;
};

/// All searches of the ledger are of this cell, normal and reduction.
inline constexpr std::size_t ledger_cells = 2;
inline constexpr std::size_t ledger_edges = crispnas::darts_cell::edges.size();
inline constexpr std::size_t ledger_ops = crispnas::darts_cell::ops::names.size();

inline void check_epoch(const result_part& epoch, const nlohmann::json& first) {
  epoch.member("epoch").is_count();
  for (const char* key : {"train_loss", "train_accuracy", "arch_loss"}) epoch.member(key).is_number_or_null();
  epoch.member("seconds").is_number();
  if (epoch.has("weight_rate")) epoch.member("weight_rate").is_number_or_null();
  if (epoch.has("terms")) {
    const auto terms = epoch.member("terms");
    terms.hold(terms.value().is_object(), "an object");
    for (const auto& [name, term] : terms.value().items()) {
      const result_part one(term, "term \"" + crispnas::printable_name(name) + "\"");
      one.list(2, 2, "a value and a factor");
      for (std::size_t i = 0; i < 2; ++i) one.at(i).is_number_or_null();
    }
  }
  // The charts name the terms of the first epoch; while alpha and beta wait there is none.
  if (first.contains("terms")) {
    for (const auto& [name, term] : first["terms"].items()) {
      if (!epoch.has("terms") || !epoch.value()["terms"].contains(name))
        epoch.fail("lacks the term \"" + crispnas::printable_name(name) + "\" of the first epoch");
    }
    if (!epoch.has("terms") || epoch.value()["terms"].size() != first["terms"].size())
      epoch.fail("has other terms than the first epoch");
  }
  const auto ops = epoch.member("ops").list(ledger_cells, ledger_cells, "a list for each cell");
  const auto edges = epoch.member("edges").list(ledger_cells, ledger_cells, "a list for each cell");
  for (std::size_t cell = 0; cell < ledger_cells; ++cell) {
    ops.at(cell).are_weights(ledger_edges * ledger_ops, "a number for each op of each edge");
    // A search has edge weights or has none: in all of its epochs.
    const bool has_weights = !first["edges"][cell].is_null();
    if (edges.value()[cell].is_null() == has_weights) edges.at(cell).fail("is not as in the first epoch");
    if (has_weights) edges.at(cell).are_weights(ledger_edges, "a number for each edge");
  }
}

inline void check_cut(const result_part& cut) {
  cut.member("kept").is_count();
  cut.member("genotype").is_genotype();
  const auto gap = cut.member("gap");
  for (const char* key : {"before", "after", "ops_cut", "edges_cut", "after_soft_edges"})
    gap.member(key).is_percent();
  if (gap.has("after_batch_norm_reestimated")) gap.member("after_batch_norm_reestimated").is_percent();
}

inline void check_search_result(const result_part& result) {
  constexpr auto any = std::numeric_limits<std::size_t>::max();
  result.member("search_seconds").is_number();
  result.member("op_entropy").is_number();
  result.member("edge_entropy").is_number_or_null();
  const auto epochs = result.member("epochs").list(1, any, "a list of epochs");
  // What the others are compared with.
  epochs.at(0).member("edges").list(ledger_cells, ledger_cells, "a list for each cell");
  for (std::size_t i = 0; i < epochs.value().size(); ++i) check_epoch(epochs.at(i), epochs.value()[0]);
  const auto cuts = result.member("cuts").list(1, any, "a list of cuts");
  for (std::size_t i = 0; i < cuts.value().size(); ++i) check_cut(cuts.at(i));
}

inline void check_retraining_result(const result_part& result) {
  result.member("error").is_percent();
  if (result.has("top5_error")) result.member("top5_error").is_percent();
  if (result.has("loss")) result.member("loss").is_number_or_null();
}

}  // namespace detail

/// Throws crispnas::error that says what is wrong, where the configuration of a line says no kind that there is, or the result is not of
/// that kind.
inline void check_ledger_result(const nlohmann::json& line) {
  const detail::result_part whole(line, "the line");
  const auto kind = whole.member("configuration").member("kind");
  const auto result = whole.member("result");
  if (whole.has("device")) whole.member("device").hold(line["device"].is_string(), "a text");
  if (kind.value() == "search") {
    detail::check_search_result(result);
  } else if (kind.value() == "retraining") {
    detail::check_retraining_result(result);
  } else {
    kind.fail("is neither \"search\" nor \"retraining\"");
  }
}

/// How many bytes the line of a search of so many epochs can have: found out before it begins, not when it is to be kept.
constexpr std::uint64_t search_line_bytes(std::uint64_t epochs) {
  constexpr std::uint64_t weight = 8;  // "0.12346,": five digits (search_json.hpp), none is 10 or more
  constexpr std::uint64_t weights = detail::ledger_cells * detail::ledger_edges * (detail::ledger_ops + 1);
  constexpr std::uint64_t rest_of_epoch = 640;  // names, losses, seconds; three terms with their factors
  constexpr std::uint64_t rest_of_line = 8192;  // configuration, genotypes and gaps of five cuts
  return rest_of_line + epochs * (weights * weight + rest_of_epoch);
}
inline constexpr std::uint64_t retraining_line_bytes = 4096;

}  // namespace support
