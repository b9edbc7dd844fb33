// What does an epoch report? Means over its steps, summed as the steps are read; the sums can be saved in the middle.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <crispnas/io/named_state.hpp>
#include <crispnas/search/bilevel.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace crispnas {

/// What an epoch reports: means over its steps, and the regularizer as the last step saw it. Where every step has lost a number, the
/// means are NaN, and the regularizer is that of the end.
struct epoch_report {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  double weight_rate = 0.0;
  double train_loss =
      0.0;  ///< classification loss of the images that train the weights (single level: of all)
  double train_accuracy = 0.0;  ///< percent, of the same images, while training
  double arch_loss =
      0.0;  ///< of the images that train alpha and beta (single level: of all); NaN while both wait
  struct term {
    std::string name;
    double value = 0.0;  ///< unweighted, at the last step
    double factor = 0.0;
  };
  std::vector<term> terms;  ///< the regularizer's
  double seconds = 0.0;     ///< of computing, in all processes that had a part in it
};

/// The sums of an epoch in progress.
class epoch_totals {
 public:
  void add(const step_result& result) {
    ++steps_;
    terms_ = result.terms;
    if (result.weight_loss.is_meta()) return;
    weight_loss_ += result.weight_loss.item<double>();
    arch_loss_ += result.arch_loss.defined() ? result.arch_loss.item<double>() : std::nan("");
    correct_ += result.correct.item<double>();
  }
  void add_seconds(double seconds) { seconds_ += seconds; }
  /// The regularizer's terms of an epoch in which no step was added: each epoch of a run reports the same ones.
  void add_terms_without_steps(loss_terms terms) { terms_ = std::move(terms); }
  bool has_steps() const { return steps_ > 0; }

  /// `images`: that a step counts its right answers in.
  void fill(epoch_report& report, std::int64_t images) {
    read_terms();
    const bool any = has_steps();
    report.train_loss = any ? weight_loss_ / double(steps_) : std::nan("");
    report.arch_loss = any ? arch_loss_ / double(steps_) : std::nan("");
    report.train_accuracy = any ? 100.0 * correct_ / double(steps_ * images) : std::nan("");
    report.seconds = seconds_;
    report.terms.clear();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const std::size_t end = names_.find('\n', begin);
      report.terms.push_back({names_.substr(begin, end - begin), values_[i], factors_.at(i)});
      begin = end + 1;
    }
  }

  named_state state() {
    read_terms();
    named_state all;
    all.add("steps", steps_);
    all.add("weight_loss", weight_loss_);
    all.add("arch_loss", arch_loss_);
    all.add("correct", correct_);
    all.add("seconds", seconds_);
    all.add("term_names", names_);
    all.add("term_values", values_);
    all.add("term_factors", factors_);
    return all;
  }

 private:
  /// The regularizer of the last step, from the device.
  void read_terms() {
    if (terms_.empty()) return;
    names_.clear();
    values_.clear();
    factors_.clear();
    for (const auto& term : terms_) {
      names_ += std::string(term.name) + '\n';
      values_.push_back(term.value.is_meta() ? std::nan("") : term.value.item<double>());
      factors_.push_back(term.factor);
    }
    terms_.clear();
  }

  std::int64_t steps_ = 0;
  double weight_loss_ = 0.0;
  double arch_loss_ = 0.0;
  double correct_ = 0.0;
  double seconds_ = 0.0;
  loss_terms terms_;
  std::string names_;  ///< each with a line break behind it
  std::vector<double> values_;
  std::vector<double> factors_;
};

}  // namespace crispnas
