// A training from scratch: epochs of steps, with the rates and drop path of a recipe. A loop around train_step that you can write
// otherwise.
#pragma once

#include <cmath>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/error.hpp>
#include <crispnas/io/named_state.hpp>
#include <crispnas/io/random_state.hpp>
#include <crispnas/search/epoch_clock.hpp>
#include <crispnas/search/epoch_iterator.hpp>
#include <crispnas/search/lost_numbers.hpp>
#include <crispnas/search/lost_steps.hpp>
#include <crispnas/search/out_of_memory.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/train/check_options.hpp>
#include <crispnas/train/evaluate.hpp>
#include <crispnas/train/train_step.hpp>
#include <cstdint>
#include <iterator>
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

/// Trains one derived network. All that it changes is in `state()`. Throws crispnas::error for options that cannot work, when numbers
/// are lost (NaN or infinity in the loss, the gradient, a weight or a variance of batch norm; see train_options::when_lost), and out_of_memory. A
/// training goes on from where it stands: after a run that was stopped, after the state of another process was put back.
class trainer {
 public:
  trainer(any_derived_network& net, const train_options& options)
      : net_(net),
        options_(checked(net, options)),
        weights_(net.parameters(), {options.rate, options.momentum, options.weight_decay, options.nesterov}),
        watched_(watched_tensors(net)),
        lost_(options.when_lost, options.lost_limit, tensors_of_a_step()) {}
  trainer(const trainer&) = delete;  // its state refers to it
  trainer& operator=(const trainer&) = delete;

  class epochs_to_run;

  /// Runs epoch after epoch as the result is iterated: `for (const auto& epoch : training.run(data))`, from `first_epoch` on, or,
  /// without it, from where the training stands.
  epochs_to_run run(training_set data, std::optional<int> first_epoch = {});
  template <dataset D>
  epochs_to_run run(const D& data, std::optional<int> first_epoch = {});

  /// Runs epoch `epoch` (from 1), or the rest of it if the training stands in it. A report of an epoch that was stopped is of what was
  /// done of it. A last, smaller batch is trained on, unless it is a single image, which batch norm cannot use.
  train_report run_epoch(const training_set& data, int epoch) {
    if (epoch != epoch_) start_epoch(epoch);
    const detail::epoch_clock::running timed(clock_);
    stopped_ = false;
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
    if (step_ > steps) {
      throw error("crispnas::trainer: " + std::to_string(step_) + " steps of epoch " + std::to_string(epoch) +
                  " are done, but these images make only " + std::to_string(steps) +
                  ". Give it the same images as before.");
    }
    lost_.come_back_here([&] { return state(); });
    batch_stream batches(std::move(source), options_.workers);
    do {
      while (step_ < steps && !asked_to_stop()) step(batches, steps);
      settle();
    } while (step_ < steps && !stopped_);  // a step rolled back over
    report.images = sums_.images;
    report.loss = sums_.loss / double(sums_.images);
    report.accuracy = 100.0 * sums_.correct / double(sums_.images);
    report.seconds = sums_.seconds;
    if (!stopped_) start_epoch(epoch + 1);
    return report;
  }

  /// "epoch 3 of 600, step 17", "the end".
  std::string position_text() const {
    if (epoch_ > options_.epochs) return "the end";
    return "epoch " + std::to_string(epoch_) + " of " + std::to_string(options_.epochs) + ", step " +
           std::to_string(step_);
  }
  /// Whether train_options::stop ended the last run.
  bool stopped() const { return stopped_; }

  /// All that the training is: parameters, statistics of batch norm, momentum, random generators, where it stands and the sums of the
  /// epoch. Its values, put back into the state of another training of the same options, make that one go on as this one would, bit for
  /// bit on the CPU. Throws crispnas::error where the last step has lost a number.
  named_state state() {
    settle();
    named_state all;
    std::vector<std::string> names;
    for (const auto& p : net_.named_parameters()) {
      all.add("weights." + p.key(), p.value());
      names.push_back(p.key());
    }
    for (const auto& b : net_.named_buffers()) all.add("statistics." + b.key(), b.value());
    all.add("sgd", weights_.state(names));
    all.add("epoch", epoch_);
    all.add("step", step_);
    lost_.add_to(all);
    all.add("totals.loss", sums_.loss);
    all.add("totals.correct", sums_.correct);
    all.add("totals.images", sums_.images);
    all.add("totals.seconds", sums_.seconds);
    all.add("random", random_state(net_.options().device));
    return all;
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
    double seconds = 0.0;
    std::int64_t images = 0;
  };

  /// A step whose numbers are still on the device.
  struct step_to_read {
    train_step_result result;
    at::Tensor fine;
    std::int64_t step = 0;  ///< of its epoch, from 0
    std::vector<std::int64_t> indices;
    std::string undone;  ///< as of a step of a search
  };

  void start_epoch(std::int64_t epoch) {
    epoch_ = epoch;
    step_ = 0;
    sums_ = {};
    lost_.start_epoch();
  }

  bool asked_to_stop() {
    stopped_ = stopped_ || (options_.stop && options_.stop());
    return stopped_;
  }

  void step(batch_stream& batches, std::int64_t steps) {
    const std::int64_t number = step_;
    const std::int64_t epoch = epoch_;
    if (lost_.has(number)) {
      ++step_;
      return;
    }
    lost_.before_step();
    step_to_read done;
    within_memory(
        [&] {
          batch b = batches.batch(number);
          net_.drop_path().begin_step(epoch, number + 1);
          done.result = train_step(net_, weights_, options_, {b.images, b.labels});
          done.fine =
              all_finite(std::vector<at::Tensor>{done.result.loss, done.result.gradient_norm}, watched_);
          done.indices = std::move(b.indices);
        },
        [&] { return advice(); });
    done.step = number;
    done.undone = lost_.after_step(done.fine, [&] { return first_lost(net_); });
    settle();                     // the step before this one: nothing waits for the device
    if (step_ != number) return;  // rolled back: this step has not happened
    to_read_ = std::move(done);
    ++step_;
    if (options_.on_step) options_.on_step({static_cast<int>(epoch), options_.epochs, step_, steps});
  }

  /// Reads the step that waits to be read.
  void settle() {
    sums_.seconds += clock_.lap();
    if (!to_read_) return;
    const train_step_result& r = to_read_->result;
    if (!to_read_->fine.defined()) {  // meta tensors have no numbers
      sums_.images += r.images;
      sums_.loss = sums_.correct = std::nan("");
      to_read_.reset();
      return;
    }
    if (!to_read_->fine.item<bool>()) {
      pass_over(to_read_->step);
      to_read_.reset();
      return;
    }
    sums_.loss += r.loss.item<double>() * double(r.images);
    sums_.correct += r.correct.item<double>();
    sums_.images += r.images;
    to_read_.reset();
  }

  /// A number was lost in that step of the epoch. Where this throws, the step goes on waiting to be read: a state that is lost is
  /// not saved.
  void pass_over(std::int64_t step) {
    if (lost_.are_too_many()) fail(*to_read_);
    lost_.pass_over(step, [&] {
      to_read_.reset();  // it has been read
      return state();
    });
  }

  /// What a step can change.
  std::vector<at::Tensor> tensors_of_a_step() {
    std::vector<at::Tensor> all = weights_.parameters();
    all.insert(all.end(), weights_.velocity().begin(), weights_.velocity().end());
    for (const auto& b : net_.named_buffers()) all.push_back(b.value());
    return all;
  }

  [[noreturn]] void fail(const step_to_read& done) const {
    throw error("crispnas::trainer: a number was lost in epoch " + std::to_string(epoch_) + ", step " +
                std::to_string(done.step + 1) + ": loss " + shown(done.result.loss.item<double>()) +
                ", gradient norm " + shown(done.result.gradient_norm.item<double>()) +
                "; first parameter with a NaN or infinity: " +
                (done.undone.empty() ? first_lost(net_) : done.undone) + ". Rate " + shown(weights_.rate()) +
                "; images: " + listed_indices(done.indices) + "." +
                detail::passed_over_before(lost_.count()) +
                " Lower the rate, look at the images, or let such steps pass (when_lost, lost_limit).");
  }

  std::string advice() const {
    std::string text = "The network has " + std::to_string(net_.weight_count()) +
                       " weights; batch_size = " + std::to_string(options_.batch_size) +
                       ". Most memory holds what passes keep of each image: take a smaller batch_size, or "
                       "fewer channels or cells.";
    if (options_.workers > 0) {
      text += " The batches made ahead are on the device, too: up to workers + 1 = " +
              std::to_string(options_.workers + 1) + " of them.";
    }
    return text;
  }

  static const train_options& checked(any_derived_network& net, const train_options& o) {
    check_train_options(o);
    check_precision(o.numbers, net.options().device, net.options().dtype);
    if (o.channels_last) net.use_channels_last();  // before the momentum takes the layout of the parameters
    return o;
  }

  any_derived_network& net_;
  train_options options_;
  sgd weights_;
  std::vector<at::Tensor> watched_;
  detail::lost_steps lost_;

  std::int64_t epoch_ = 1;  ///< in progress
  std::int64_t step_ = 0;   ///< of it that are done
  totals sums_;
  std::optional<step_to_read> to_read_;
  detail::epoch_clock clock_;
  bool stopped_ = false;
};

/// An input range of epoch reports; advancing it runs the next epoch.
class trainer::epochs_to_run {
 public:
  epochs_to_run(trainer& owner, training_set data, std::optional<int> first_epoch)
      : owner_(&owner), data_(std::move(data)), first_(first_epoch) {
    const auto fail = [](const std::string& what) { throw error("crispnas::trainer: " + what); };
    const int classes = owner.net_.options().classes;
    if (data_.classes > classes) {
      fail("the images have " + std::to_string(data_.classes) + " classes, the network " +
           std::to_string(classes) + ". Give it .classes = " + std::to_string(data_.classes) + ".");
    }
    if (data_.size < 2)
      fail("there are " + std::to_string(data_.size) + " images to train on; give at least 2.");
    if (first_epoch && *first_epoch < 1)
      fail("the first epoch is " + std::to_string(*first_epoch) + "; epochs count from 1.");
  }
  using iterator = detail::epoch_iterator<epochs_to_run, train_report>;

  /// Runs the next epoch; false after the last, and where the training was stopped.
  bool next(train_report& report) {
    if (owner_->epoch_ > owner_->options_.epochs) return false;
    report = owner_->run_epoch(data_, static_cast<int>(owner_->epoch_));
    return !owner_->stopped_;
  }
  iterator begin() {
    if (first_ && *first_ != owner_->epoch_) owner_->start_epoch(*first_);
    first_.reset();
    return iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  trainer* owner_;
  training_set data_;
  std::optional<int> first_;
};

inline trainer::epochs_to_run trainer::run(training_set data, std::optional<int> first_epoch) {
  return {*this, std::move(data), first_epoch};
}

template <dataset D>
trainer::epochs_to_run trainer::run(const D& data, std::optional<int> first_epoch) {
  return run(training_set_of(data), first_epoch);
}

}  // namespace crispnas
