// A search: epochs of bilevel steps, with rates, warm-ups and schedules. A loop around bilevel_step that you can write otherwise.
#pragma once

#include <chrono>
#include <cmath>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/error.hpp>
#include <crispnas/search/search_options.hpp>
#include <crispnas/search/search_step.hpp>
#include <crispnas/search/step_progress.hpp>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crispnas {

/// What an epoch reports: means over its steps, and the regularizer as the last step saw it.
struct epoch_report {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  double weight_rate = 0.0;
  double train_loss = 0.0;      ///< classification loss of the half that trains the weights
  double train_accuracy = 0.0;  ///< percent, of the same half, while training
  double arch_loss = 0.0;  ///< classification loss of the other half (NaN while alpha and beta both wait)
  struct term {
    std::string name;
    double value = 0.0;  ///< unweighted, at the last step
    double factor = 0.0;
  };
  std::vector<term> terms;  ///< the regularizer's
  double seconds = 0.0;
};

/// Searches alpha and beta of one super-network. Throws crispnas::error for options that cannot work, and when numbers are lost.
class searcher {
 public:
  template <search_spec Spec>
  searcher(supernet<Spec>& net, const search_options& options)
      : searcher(net, &regularizer_terms<typename Spec::regularizer>::at, options) {}

  searcher(any_supernet& net, regularizer_function regularizer, const search_options& options)
      : net_(net),
        regularizer_(regularizer),
        options_(options),
        weights_(net.weights(), {options.weight_rate, options.momentum, options.weight_decay}),
        alpha_(net.arch().alphas(),
               {options.alpha_rate, options.adam_beta1, options.adam_beta2, options.arch_decay}),
        beta_(net.arch().betas(),
              {options.beta_rate, options.adam_beta1, options.adam_beta2, options.arch_decay}) {
    check(options);
  }

  class epochs_to_run;

  /// Runs epoch after epoch as the result is iterated: `for (const auto& epoch : search.run(data))`. The first half of `data`
  /// trains the weights, the second one alpha and beta.
  template <dataset D>
  epochs_to_run run(const D& data);

  /// The same with the two halves given.
  epochs_to_run run(const dataset_halves& halves);

  /// Runs epoch `epoch` (from 1).
  epoch_report run_epoch(const dataset_halves& halves, int epoch) {
    const auto started = std::chrono::steady_clock::now();
    const auto options_of = [&](std::uint64_t stream) {
      return epoch_options{.batch_size = options_.batch_size,
                           .seed = 2 * options_.seed + stream,
                           .epoch = epoch,
                           .augment = options_.augment,
                           .drop_last = true,
                           .device = net_.options().device,
                           .dtype = net_.options().dtype};
    };
    prefetched_batches train(epoch_batches(halves.weights, options_of(0)));
    prefetched_batches arch(epoch_batches(halves.architecture, options_of(1)));
    const std::int64_t steps = std::min(train.size(), arch.size());

    epoch_report report;
    report.epoch = epoch;
    report.epochs = options_.epochs;
    report.weight_rate = cosine_rate(options_.weight_rate, options_.last_weight_rate, epoch, options_.epochs);
    weights_.rate(report.weight_rate);
    const step_losses losses{regularizer_, epoch, options_.epochs, options_.strength};
    const step_optimizers optimizers{weights_,
                                     alpha_,
                                     beta_,
                                     options_.clip,
                                     epoch > warmup(options_.alpha_warmup),
                                     epoch > warmup(options_.beta_warmup) && net_.space().has_edge_weights()};
    totals sums;
    std::optional<step_result> waiting;  // read one step late, so that nothing waits for the device
    for (std::int64_t step = 0; step < steps; ++step) {
      const batch t = train.next().value();
      const batch a = arch.next().value();
      step_result result =
          search_step(net_, losses, optimizers, {t.images, t.labels}, {a.images, a.labels}, options_.order);
      if (waiting) read(*waiting, sums, epoch, step);
      waiting = std::move(result);
      if (options_.on_step) options_.on_step({epoch, options_.epochs, step + 1, steps});
    }
    read(*waiting, sums, epoch, steps);
    report.train_loss = sums.weight_loss / double(steps);
    report.arch_loss = sums.arch_loss / double(steps);
    const std::int64_t images =
        options_.order == search_order::single_level ? 2 * options_.batch_size : options_.batch_size;
    report.train_accuracy = 100.0 * sums.correct / double(steps * images);
    for (const auto& term : waiting->terms) {
      const double value = term.value.is_meta() ? std::nan("") : term.value.item<double>();
      report.terms.push_back({term.name, value, term.factor});
    }
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return report;
  }

  const search_options& options() const { return options_; }
  any_supernet& net() { return net_; }

 private:
  struct totals {
    double weight_loss = 0.0;
    double arch_loss = 0.0;
    double correct = 0.0;
  };

  /// A warm-up given as a fraction of the run, in whole epochs.
  int warmup(double fraction) const { return static_cast<int>(std::lround(fraction * options_.epochs)); }

  void read(const step_result& result, totals& sums, int epoch, std::int64_t step) const {
    if (!result.weight_loss.is_meta()) {
      const double weight_loss = result.weight_loss.item<double>();
      const double arch_loss = result.arch_loss.defined() ? result.arch_loss.item<double>() : std::nan("");
      const double norm = result.gradient_norm.item<double>();
      const bool lost_arch = result.arch_loss.defined() && !std::isfinite(arch_loss);
      if (!std::isfinite(weight_loss) || !std::isfinite(norm) || lost_arch) stop(result, epoch, step);
      sums.weight_loss += weight_loss;
      sums.arch_loss += arch_loss;
      sums.correct += result.correct.item<double>();
    }
  }

  [[noreturn]] void stop(const step_result& result, int epoch, std::int64_t step) const {
    const auto show = [](const at::Tensor& t) { return t.defined() ? shown(t.item<double>()) : "-"; };
    const auto lost = [](const at::Tensor& t) { return !at::isfinite(t).all().item<bool>(); };
    // The numbers are read a step late, so alpha and beta may have caught it from the weights, or they from those: both are named.
    std::string where;
    for (const auto& p : net_.named_parameters()) {
      if (where.empty() && lost(p.value())) where = p.key() + " first among the weights";
    }
    for (const auto& [name, value] : net_.arch().named()) {
      if (lost(value)) where += (where.empty() ? "" : ", ") + name;
    }
    throw error("crispnas::searcher: a number was lost in epoch " + std::to_string(epoch) + ", step " +
                std::to_string(step) + ": weight loss " + show(result.weight_loss) + ", architecture loss " +
                show(result.arch_loss) + ", gradient norm " + show(result.gradient_norm) +
                "; parameters with a NaN or infinity: " + (where.empty() ? "none" : where) +
                ". Weight rate " + shown(weights_.rate()) + ". Lower the rate, or look at the images.");
  }

  /// "1e+30", "nan": as short as it can be read.
  static std::string shown(double value) {
    if (std::isnan(value)) return "nan";
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
  }

  static void check(const search_options& o) {
    const auto fail = [](const std::string& what) { throw error("crispnas::searcher: " + what); };
    if (o.epochs < 1) fail("epochs = " + std::to_string(o.epochs) + "; a search needs at least 1.");
    if (o.batch_size < 2)
      fail("batch_size = " + std::to_string(o.batch_size) + "; batch norm needs at least 2 images.");
    const auto bounded = [&](const char* name, double value, double low, double high, const char* range) {
      if (!(value >= low && value <= high))
        fail(std::string(name) + " = " + shown(value) + "; it is to be " + range + ".");
    };
    constexpr double finite = std::numeric_limits<double>::max();
    const char* positive = "0 or more, and finite";
    const char* fraction = "a fraction between 0 and 1";
    bounded("weight_rate", o.weight_rate, 0, finite, positive);
    bounded("last_weight_rate", o.last_weight_rate, 0, finite, positive);
    bounded("alpha_rate", o.alpha_rate, 0, finite, positive);
    bounded("beta_rate", o.beta_rate, 0, finite, positive);
    bounded("weight_decay", o.weight_decay, 0, finite, positive);
    bounded("arch_decay", o.arch_decay, 0, finite, positive);
    bounded("clip", o.clip, 0, finite, positive);
    bounded("strength", o.strength, 0, finite, positive);
    bounded("alpha_warmup", o.alpha_warmup, 0, 1, fraction);
    bounded("beta_warmup", o.beta_warmup, 0, 1, fraction);
    bounded("momentum", o.momentum, 0, std::nextafter(1.0, 0.0), "from 0 up to, not including, 1");
    bounded("adam_beta1", o.adam_beta1, 0, std::nextafter(1.0, 0.0), "from 0 up to, not including, 1");
    bounded("adam_beta2", o.adam_beta2, 0, std::nextafter(1.0, 0.0), "from 0 up to, not including, 1");
  }

  any_supernet& net_;
  regularizer_function regularizer_;
  search_options options_;
  sgd weights_;
  adam alpha_;
  adam beta_;
};

/// An input range of epoch reports; advancing it runs the next epoch.
class searcher::epochs_to_run {
 public:
  epochs_to_run(searcher& owner, dataset_halves halves) : owner_(&owner), halves_(std::move(halves)) {
    for (const auto* half : {&halves_.weights, &halves_.architecture}) {
      if (half->classes() > owner.net_.options().classes) {
        throw error("crispnas::searcher: the images have " + std::to_string(half->classes()) +
                    " classes, the super-network " + std::to_string(owner.net_.options().classes) +
                    ". Give it .classes = " + std::to_string(half->classes()) + ".");
      }
    }
    const auto smaller = std::min(halves_.weights.size(), halves_.architecture.size());
    if (owner.options_.batch_size > smaller) {
      throw error("crispnas::searcher: batch_size = " + std::to_string(owner.options_.batch_size) +
                  " is larger than a half of the training data (" + std::to_string(smaller) +
                  " images), so there would be no step. Make it smaller, or give more images.");
    }
  }
  class iterator {
   public:
    using value_type = epoch_report;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    iterator(epochs_to_run* owner, int epoch) : owner_(owner), epoch_(epoch) { run(); }
    const epoch_report& operator*() const { return report_; }
    const epoch_report* operator->() const { return &report_; }
    iterator& operator++() {
      ++epoch_;
      run();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return epoch_ > owner_->owner_->options_.epochs; }

   private:
    void run() {
      if (epoch_ <= owner_->owner_->options_.epochs)
        report_ = owner_->owner_->run_epoch(owner_->halves_, epoch_);
    }
    epochs_to_run* owner_;
    int epoch_;
    epoch_report report_;
  };
  iterator begin() { return {this, 1}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  searcher* owner_;
  dataset_halves halves_;
};

inline searcher::epochs_to_run searcher::run(const dataset_halves& halves) { return {*this, halves}; }

template <dataset D>
searcher::epochs_to_run searcher::run(const D& data) {
  check_dataset(data);
  const labelled_images all(data.images(), data.labels(), data.classes(), {data.mean(), data.stddev()});
  return run(all.halves());
}

}  // namespace crispnas
