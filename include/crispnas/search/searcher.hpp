// A search: epochs of bilevel steps, with rates, warm-ups and schedules. A loop around bilevel_step that you can write otherwise.
#pragma once

#include <algorithm>
#include <cmath>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/error.hpp>
#include <crispnas/io/named_state.hpp>
#include <crispnas/io/random_state.hpp>
#include <crispnas/search/check_options.hpp>
#include <crispnas/search/epoch_clock.hpp>
#include <crispnas/search/epoch_iterator.hpp>
#include <crispnas/search/epoch_report.hpp>
#include <crispnas/search/lost_numbers.hpp>
#include <crispnas/search/lost_steps.hpp>
#include <crispnas/search/out_of_memory.hpp>
#include <crispnas/search/search_options.hpp>
#include <crispnas/search/search_step.hpp>
#include <crispnas/search/step_progress.hpp>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

/// Where a search stands.
struct search_position {
  std::int64_t epoch = 1;  ///< in progress, from 1; one more than there are when the search has ended
  std::int64_t step = 0;   ///< of it that are done
};

/// Searches alpha and beta of one super-network. Throws crispnas::error for options that cannot work, when numbers are lost
/// (see search_options::when_lost), and out_of_memory. A search goes on from where it stands: after a run that was stopped, and after
/// the state of another one was put back. After an error it may stand within a step: put a checkpoint into a new searcher then.
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
              {options.beta_rate, options.adam_beta1, options.adam_beta2, options.arch_decay}),
        lost_(options.when_lost, options.lost_limit, tensors_of_a_step()) {
    check_search_options(options);
    for (const auto& p : net.named_parameters()) weight_names_.push_back(p.key());
    watched_ = watched_tensors(net);
    // A gradient whose square is infinite moves alpha by nothing, and would hold it there for good.
    for (adam* a : {&alpha_, &beta_}) watched_.insert(watched_.end(), a->square().begin(), a->square().end());
  }
  searcher(const searcher&) = delete;  // its state refers to it
  searcher& operator=(const searcher&) = delete;

  class epochs_to_run;

  /// Runs epoch after epoch, from where the search stands, as the result is iterated: `for (const auto& epoch :
  /// search.run(data))`. The first half of `data` trains the weights, the second one alpha and beta.
  template <dataset D>
  epochs_to_run run(const D& data);

  /// The same with the two halves given.
  epochs_to_run run(const dataset_halves& halves);

  /// Runs epoch `epoch` (from 1), or the rest of it if the search stands in it. A report of an epoch that was stopped is of what
  /// was done of it.
  epoch_report run_epoch(const dataset_halves& halves, int epoch) {
    if (epoch != position_.epoch) start_epoch(epoch);
    const detail::epoch_clock::running timed(clock_);
    stopped_ = false;
    const auto options_of = [&](std::uint64_t stream) {
      return epoch_options{.batch_size = options_.batch_size,
                           .seed = 2 * options_.seed + stream,
                           .epoch = epoch,
                           .augment = options_.augment,
                           .drop_last = true,
                           .device = net_.options().device,
                           .dtype = net_.options().dtype};
    };
    batch_stream train(epoch_batches(halves.weights, options_of(0)));
    batch_stream arch(epoch_batches(halves.architecture, options_of(1)));
    const std::int64_t steps = std::min(train.size(), arch.size());
    if (position_.step > steps) {
      throw error("crispnas::searcher: " + std::to_string(position_.step) + " steps of epoch " +
                  std::to_string(epoch) + " are done, but these images make only " + std::to_string(steps) +
                  ". Give it the same images as before.");
    }
    weights_.rate(cosine_rate(options_.weight_rate, options_.last_weight_rate, epoch, options_.epochs));
    lost_.come_back_here([&] { return state(); });
    do {
      while (position_.step < steps && !asked_to_stop()) step(train, arch, steps);
      settle();
    } while (position_.step < steps && !stopped_);  // a step rolled back over

    epoch_report report;
    report.epoch = epoch;
    report.epochs = options_.epochs;
    report.weight_rate = weights_.rate();
    if (!stopped_ && !totals_.has_steps()) {  // all of them have lost a number
      const at::NoGradGuard no_grad;
      totals_.add_terms_without_steps(terms_at(net_.arch(), losses_of(epoch)));
    }
    totals_.fill(
        report, options_.order == search_order::single_level ? 2 * options_.batch_size : options_.batch_size);
    if (!stopped_) start_epoch(epoch + 1);
    return report;
  }

  const search_options& options() const { return options_; }
  any_supernet& net() { return net_; }

  search_position position() const { return position_; }
  /// "epoch 3 of 50, step 17", "the end".
  std::string position_text() const {
    if (position_.epoch > options_.epochs) return "the end";
    return "epoch " + std::to_string(position_.epoch) + " of " + std::to_string(options_.epochs) + ", step " +
           std::to_string(position_.step);
  }
  /// Whether search_options::stop ended the last run.
  bool stopped() const { return stopped_; }

  /// All that the search is: weights, statistics of batch norm, alpha, beta, what the optimizers remember, random generators,
  /// where it stands and the sums of the epoch. Its values, put back into the state of another search of the same configuration,
  /// make that one go on as this one would, bit for bit on the CPU. Throws crispnas::error where the last step has lost a number.
  named_state state() {
    settle();
    named_state all;
    for (const auto& p : net_.named_parameters()) all.add("weights." + p.key(), p.value());
    for (const auto& b : net_.named_buffers()) all.add("statistics." + b.key(), b.value());
    std::vector<std::string> alphas, betas;
    for (const auto& [name, value] : net_.arch().named()) {
      all.add("arch." + name, value);
      (alphas.size() < net_.arch().alphas().size() ? alphas : betas).push_back(name);
    }
    all.add("sgd", weights_.state(weight_names_));
    all.add("adam_alpha", alpha_.state(alphas));
    all.add("adam_beta", beta_.state(betas));
    all.add("epoch", position_.epoch);
    all.add("step", position_.step);
    lost_.add_to(all);
    all.add("totals", totals_.state());
    all.add("random", random_state(net_.options().device));
    return all;
  }

 private:
  void start_epoch(std::int64_t epoch) {
    position_ = {epoch, 0};
    totals_ = {};
    lost_.start_epoch();
  }

  bool asked_to_stop() {
    stopped_ = stopped_ || (options_.stop && options_.stop());
    return stopped_;
  }

  void step(batch_stream& train, batch_stream& arch, std::int64_t steps) {
    const std::int64_t number = position_.step;
    const int epoch = static_cast<int>(position_.epoch);
    if (lost_.has(number)) {
      ++position_.step;
      return;
    }
    const step_losses losses = losses_of(epoch);
    const step_optimizers optimizers{weights_,
                                     alpha_,
                                     beta_,
                                     options_.clip,
                                     epoch > warmup(options_.alpha_warmup),
                                     epoch > warmup(options_.beta_warmup) && net_.space().has_edge_weights()};
    lost_.before_step();
    step_to_read done;
    within_memory(
        [&] {
          batch t = train.batch(number);
          batch a = arch.batch(number);
          done.result = search_step(net_, losses, optimizers, {t.images, t.labels}, {a.images, a.labels},
                                    options_.order);
          done.fine = all_finite(done.result, watched_);
          done.train = std::move(t.indices);
          done.arch = std::move(a.indices);
        },
        [&] { return memory_advice(net_, options_.batch_size); });
    done.step = number;
    done.undone = lost_.after_step(done.fine, [&] { return where_lost(); });
    const auto before = position_;
    settle();                                   // the step before this one: nothing waits for the device
    if (position_.step != before.step) return;  // rolled back: this step has not happened
    to_read_ = std::move(done);
    ++position_.step;
    if (options_.on_step) options_.on_step({epoch, options_.epochs, position_.step, steps});
  }

  step_losses losses_of(int epoch) const { return {regularizer_, epoch, options_.epochs, options_.strength}; }

  /// A warm-up given as a fraction of the run, in whole epochs.
  int warmup(double fraction) const { return static_cast<int>(std::lround(fraction * options_.epochs)); }

  /// Reads the step that waits to be read.
  void settle() {
    totals_.add_seconds(clock_.lap());
    if (!to_read_) return;
    if (!to_read_->fine.defined() || to_read_->fine.item<bool>()) {
      totals_.add(to_read_->result);
    } else {
      pass_over(to_read_->step);
    }
    to_read_.reset();
  }

  /// A number was lost in that step of the epoch. Where this throws, the step goes on waiting to be read: a state that is lost is
  /// not saved.
  void pass_over(std::int64_t step) {
    if (lost_.are_too_many()) {
      const std::string where = to_read_->undone.empty() ? where_lost() : to_read_->undone;
      fail_with_lost_numbers(net_.arch(), *to_read_, position_.epoch, weights_.rate(), lost_.count(), where);
    }
    lost_.pass_over(step, [&] {
      to_read_.reset();  // it has been read
      return state();
    });
  }

  /// What holds a NaN or infinity. Losses and parameters can be finite where the square of a gradient is not.
  std::string where_lost() {
    const std::string parameters = lost_parameters(net_);
    for (adam* a : {&alpha_, &beta_}) {
      for (const at::Tensor& t : a->square()) {
        if (!at::isfinite(t).all().item<bool>())
          return parameters + "; the square of a gradient of alpha or beta, in Adam's memory";
      }
    }
    return parameters;
  }

  /// What a step can change.
  std::vector<at::Tensor> tensors_of_a_step() {
    std::vector<at::Tensor> all = weights_.parameters();
    const auto add = [&](const std::vector<at::Tensor>& more) {
      all.insert(all.end(), more.begin(), more.end());
    };
    add(weights_.velocity());
    for (const auto& b : net_.named_buffers()) all.push_back(b.value());
    for (adam* a : {&alpha_, &beta_}) {
      add(a->parameters());
      add(a->mean());
      add(a->square());
    }
    return all;
  }

  any_supernet& net_;
  regularizer_function regularizer_;
  search_options options_;
  sgd weights_;
  adam alpha_;
  adam beta_;
  std::vector<std::string> weight_names_;
  std::vector<at::Tensor> watched_;
  detail::lost_steps lost_;

  search_position position_;
  epoch_totals totals_;
  std::optional<step_to_read> to_read_;
  detail::epoch_clock clock_;
  bool stopped_ = false;
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
  using iterator = detail::epoch_iterator<epochs_to_run, epoch_report>;

  /// Runs the next epoch; false after the last, and where the search was stopped.
  bool next(epoch_report& report) {
    if (owner_->position_.epoch > owner_->options_.epochs) return false;
    report = owner_->run_epoch(halves_, static_cast<int>(owner_->position_.epoch));
    return !owner_->stopped_;
  }
  iterator begin() { return iterator(this); }
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
