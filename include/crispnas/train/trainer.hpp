// A training from scratch: epochs of steps, with the rates and drop path of a recipe. A loop around train_step that you can write
// otherwise.
#pragma once

#include <chrono>
#include <cmath>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/error.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/train/evaluate.hpp>
#include <crispnas/train/train_step.hpp>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

/// What an epoch reports: means over its images.
struct train_report {
  int epoch = 0;  ///< from 1
  int epochs = 0;
  double rate = 0.0;
  double drop_path = 0.0;
  double loss = 0.0;      ///< with label smoothing and the auxiliary head's part
  double accuracy = 0.0;  ///< percent, of the training images while training
  std::int64_t images = 0;
  double seconds = 0.0;
};

/// Trains one derived network. All that an epoch changes is in the network and in `momentum()`: an epoch that is run from the same of
/// both gives the same. Throws crispnas::error for options that cannot work, and when numbers are lost.
class trainer {
 public:
  trainer(any_derived_network& net, const train_options& options)
      : net_(net),
        options_(checked(net, options)),
        weights_(net.parameters(), {options.rate, options.momentum, options.weight_decay, options.nesterov}) {
  }

  class epochs_to_run;

  /// Runs epoch after epoch as the result is iterated: `for (const auto& epoch : training.run(data))`, from `first_epoch` on.
  epochs_to_run run(training_set data, int first_epoch = 1);
  template <dataset D>
  epochs_to_run run(const D& data, int first_epoch = 1);

  /// Runs epoch `epoch` (from 1). A last, smaller batch is trained on, unless it is a single image, which batch norm cannot use.
  train_report run_epoch(const training_set& data, int epoch) {
    const auto started = std::chrono::steady_clock::now();
    train_report report;
    report.epoch = epoch;
    report.epochs = options_.epochs;
    report.rate = rate_of_epoch(options_, epoch);
    report.drop_path = options_.drop_path * double(epoch - 1) / double(options_.epochs);
    weights_.rate(report.rate);
    net_.drop_path().probability(report.drop_path);
    batch_source source = data.epoch({.batch_size = options_.batch_size,
                                      .seed = options_.seed,
                                      .epoch = epoch,
                                      .augment = options_.augment,
                                      .drop_last = data.size % options_.batch_size == 1,
                                      .device = net_.options().device,
                                      .dtype = net_.options().dtype});
    const std::int64_t steps = source.size;
    prefetched_batches ahead(std::move(source), options_.workers);
    totals sums;
    std::optional<train_step_result> waiting;  // read one step late, so that nothing waits for the device
    for (std::int64_t step = 1; const auto b = ahead.next(); ++step) {
      net_.drop_path().begin_step(epoch, step);
      train_step_result result = train_step(net_, weights_, options_, {b->images, b->labels});
      if (waiting) read(*waiting, sums, epoch, step - 1);
      waiting = std::move(result);
      if (options_.on_step) options_.on_step({epoch, options_.epochs, step, steps});
    }
    if (waiting) read(*waiting, sums, epoch, steps);
    report.images = sums.images;
    report.loss = sums.loss / double(sums.images);
    report.accuracy = 100.0 * sums.correct / double(sums.images);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return report;
  }

  const train_options& options() const { return options_; }
  any_derived_network& net() { return net_; }
  sgd& optimizer() { return weights_; }

  /// SGD's momentum of every parameter, under the parameter's published name; the trainer's own tensors, to be saved and filled.
  std::vector<std::pair<std::string, at::Tensor>> momentum() {
    std::vector<std::pair<std::string, at::Tensor>> state;
    const auto named = net_.named_parameters();
    for (std::size_t i = 0; i < named.size(); ++i) state.emplace_back(named[i].key(), weights_.velocity()[i]);
    return state;
  }

 private:
  struct totals {
    double loss = 0.0;
    double correct = 0.0;
    std::int64_t images = 0;
  };

  void read(const train_step_result& result, totals& sums, int epoch, std::int64_t step) const {
    const double loss = result.loss.item<double>();
    if (!std::isfinite(loss) || !std::isfinite(result.gradient_norm.item<double>()))
      stop(result, epoch, step);
    sums.loss += loss * double(result.images);
    sums.correct += result.correct.item<double>();
    sums.images += result.images;
  }

  [[noreturn]] void stop(const train_step_result& result, int epoch, std::int64_t step) const {
    std::string where = "none";
    for (const auto& p : net_.named_parameters()) {
      if (at::isfinite(p.value()).all().item<bool>()) continue;
      where = p.key();
      break;
    }
    throw error("crispnas::trainer: a number was lost in epoch " + std::to_string(epoch) + ", step " +
                std::to_string(step) + ": loss " + shown(result.loss.item<double>()) + ", gradient norm " +
                shown(result.gradient_norm.item<double>()) + "; first parameter with a NaN or infinity: " +
                where + ". Rate " + shown(weights_.rate()) + ". Lower the rate, or look at the images.");
  }

  static std::string shown(double value) {
    if (std::isnan(value)) return "nan";
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
  }

  static const train_options& checked(any_derived_network& net, const train_options& o) {
    const auto fail = [](const std::string& what) { throw error("crispnas::trainer: " + what); };
    if (o.epochs < 1) fail("epochs = " + std::to_string(o.epochs) + "; a training needs at least 1.");
    if (o.batch_size < 2)
      fail("batch_size = " + std::to_string(o.batch_size) + "; batch norm needs at least 2 images.");
    if (o.warmup_epochs < 0 || o.warmup_epochs >= o.epochs) {
      fail("warmup_epochs = " + std::to_string(o.warmup_epochs) +
           "; it is to be from 0 up to, not including, the " + std::to_string(o.epochs) + " epochs.");
    }
    if (o.workers < 0 || o.workers > 256)
      fail("workers = " + std::to_string(o.workers) + "; it is to be from 0 to 256.");
    const auto bounded = [&](const char* name, double value, double low, double high, const char* range) {
      if (!(value >= low && value <= high))
        fail(std::string(name) + " = " + shown(value) + "; it is to be " + range + ".");
    };
    constexpr double finite = std::numeric_limits<double>::max();
    const double below_1 = std::nextafter(1.0, 0.0);
    const char* positive = "0 or more, and finite";
    const char* share = "from 0 up to, not including, 1";
    bounded("rate", o.rate, 0, finite, positive);
    bounded("last_rate", o.last_rate, 0, finite, positive);
    bounded("weight_decay", o.weight_decay, 0, finite, positive);
    bounded("clip", o.clip, 0, finite, positive);
    bounded("auxiliary_weight", o.auxiliary_weight, 0, finite, positive);
    bounded("momentum", o.momentum, 0, below_1, share);
    bounded("label_smoothing", o.label_smoothing, 0, below_1, share);
    bounded("drop_path", o.drop_path, 0, below_1, share);
    if (o.nesterov && o.momentum == 0.0) fail("Nesterov's momentum needs a momentum above 0.");
    check_augmentation(o.augment);
    check_precision(o.numbers, net.options().device, net.options().dtype);
    if (o.channels_last) net.use_channels_last();  // before the momentum takes the layout of the parameters
    return o;
  }

  any_derived_network& net_;
  train_options options_;
  sgd weights_;
};

/// An input range of epoch reports; advancing it runs the next epoch.
class trainer::epochs_to_run {
 public:
  epochs_to_run(trainer& owner, training_set data, int first_epoch)
      : owner_(&owner), data_(std::move(data)), first_(first_epoch) {
    const auto fail = [](const std::string& what) { throw error("crispnas::trainer: " + what); };
    const int classes = owner.net_.options().classes;
    if (data_.classes > classes) {
      fail("the images have " + std::to_string(data_.classes) + " classes, the network " +
           std::to_string(classes) + ". Give it .classes = " + std::to_string(data_.classes) + ".");
    }
    if (data_.size < 2)
      fail("there are " + std::to_string(data_.size) + " images to train on; give at least 2.");
    if (first_epoch < 1) fail("the first epoch is " + std::to_string(first_epoch) + "; epochs count from 1.");
  }
  class iterator {
   public:
    using value_type = train_report;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    iterator(epochs_to_run* owner, int epoch) : owner_(owner), epoch_(epoch) { run(); }
    const train_report& operator*() const { return report_; }
    const train_report* operator->() const { return &report_; }
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
        report_ = owner_->owner_->run_epoch(owner_->data_, epoch_);
    }
    epochs_to_run* owner_;
    int epoch_;
    train_report report_;
  };
  iterator begin() { return {this, first_}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  trainer* owner_;
  training_set data_;
  int first_;
};

inline trainer::epochs_to_run trainer::run(training_set data, int first_epoch) {
  return {*this, std::move(data), first_epoch};
}

template <dataset D>
trainer::epochs_to_run trainer::run(const D& data, int first_epoch) {
  return run(training_set_of(data), first_epoch);
}

}  // namespace crispnas
