// The grid of experiments behind tables and figures: searches and retrainings, each known by the fingerprint of all that decides it, so
// that what the ledger has is not run again and what was run otherwise is not taken for it. What is under way is saved now and then, and
// when a signal asks the program to end.
#pragma once

#include <torch/version.h>

#include <chrono>
#include <crispnas/crispnas.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "experiment.hpp"
#include "grid_configuration.hpp"
#include "ledger.hpp"
#include "ledger_lines.hpp"
#include "pool.hpp"
#include "progress.hpp"
#include "search_json.hpp"
#include "setting.hpp"
#include "stop_signals.hpp"
#include "unfinished_run.hpp"

#ifndef CRISPNAS_VERSION
#define CRISPNAS_VERSION "unknown"
#endif

namespace support {

class grid {
 public:
  struct options {
    at::Device device = at::kCPU;
    std::string device_name;
    int workers = 1;
    bool quiet = false;
    std::filesystem::path unfinished;  ///< folder of what is under way
    unfinished_run::seconds save_after{600};
  };

  /// `done` and `signals` outlive it.
  grid(ledger& done, const stop_signals& signals, options chosen)
      : done_(done), signals_(signals), options_(std::move(chosen)) {}

  /// The result of a search or of a retraining; null where it is not done.
  const nlohmann::json* search(const setting& s, const search_request& request, std::uint64_t seed) const {
    const auto* line = search_line(s, request, seed);
    return line == nullptr ? nullptr : &line->at("result");
  }
  const nlohmann::json* retraining(const setting& s, const std::string& genotype, std::uint64_t seed) const {
    const auto* line = line_of(configuration_of(s, genotype, options_.device.is_cuda()), seed);
    return line == nullptr ? nullptr : &line->at("result");
  }

  /// The whole line of the ledger: the result, and what it was got by; null where it is not done.
  const nlohmann::json* search_line(const setting& s, const search_request& request,
                                    std::uint64_t seed) const {
    return line_of(configuration_of(s, request, options_.device.is_cuda()), seed);
  }

  static cn::space_table space_of(const setting& s, const search_request& request) {
    return method_of(s, request).configuration.space;
  }

  /// Puts a search on the list of what to run, unless it is done or already there. Throws usage_error where it has so many epochs that the
  /// ledger could not keep it.
  void plan(const setting& s, const search_request& request, std::uint64_t seed) {
    const auto steps = s.search.epochs * (s.train.size() / 2 / s.search.batch_size);
    const auto bytes = search_line_bytes(static_cast<std::uint64_t>(s.search.epochs));
    if (bytes > ledger_line_limits.bytes) {
      throw usage_error(fmt::format(
          "scale '{}': the {} epochs of a search are up to {} bytes in the ledger, of which a line may have "
          "{}. Take fewer epochs.",
          s.sizes.name, s.search.epochs, bytes, ledger_line_limits.bytes));
    }
    add(s, configuration_of(s, request, options_.device.is_cuda()), seed, steps, bytes,
        fmt::format("{} {}/14", request.method, request.kept),
        [this, &s, request, seed](keeper& saved_by) { return run_search(s, request, seed, saved_by); });
  }
  void plan(const setting& s, const std::string& genotype, std::uint64_t seed) {
    const auto batches = [](std::int64_t images, std::int64_t size) { return (images + size - 1) / size; };
    const std::int64_t steps =
        s.transfer ? s.sizes.imagenet_epochs * batches(s.transfer->train, s.sizes.imagenet_batch_size)
                   : s.retraining.epochs * batches(s.train.size(), s.retraining.batch_size);
    add(s, configuration_of(s, genotype, options_.device.is_cuda()), seed, steps, retraining_line_bytes,
        "from scratch",
        [this, &s, genotype, seed](keeper& saved_by) { return run_retraining(s, genotype, seed, saved_by); });
  }

  std::size_t planned() const { return jobs_.size(); }

  /// Runs what is planned; every finished piece is in the ledger when the next one begins. Throws ended_early after a signal, and
  /// usage_error, before anything is begun, where the ledger could not keep all of it.
  void run(const std::string& what) {
    if (jobs_.empty()) return;
    check_room();
    if (signals_.received() != 0) stop();
    finished_ = 0;
    std::int64_t steps = 0;
    for (const auto& one : jobs_) steps += one.steps;
    progress bar(what, steps, options_.quiet);
    bar_ = &bar;
    std::vector<std::function<void()>> runs;
    for (const auto& one : jobs_) runs.emplace_back([this, &one] { run_one(one); });
    try {
      run_side_by_side(runs, options_.workers);
    } catch (const ended_early&) {
      bar.finish();
      bar_ = nullptr;
      stop();
    }
    bar_ = nullptr;
    jobs_.clear();
    planned_.clear();
  }

  /// A random cell of a budget, the same for a number on every machine.
  static cn::genotype random_cell(int kept, std::uint64_t number, int partial) {
    const auto method = darts_method("da2s", 8, partial);
    const auto budget = darts_budget(kept);
    const auto& space = method.configuration.space;
    return cn::genotype_of(space, cn::random_cut(space, budget.normal, budget.reduction, number));
  }

 private:
  struct planned_run {
    std::string label;
    std::string scale;
    int partial;
    nlohmann::json configuration;
    std::uint64_t seed;
    std::int64_t steps;
    std::uint64_t bytes;  ///< that its line can have
    std::function<nlohmann::json(keeper&)> work;
  };

  void check_room() const {
    std::uint64_t bytes = 0;
    for (const auto& one : jobs_) bytes += one.bytes;
    if (bytes <= done_.room()) return;
    throw usage_error(fmt::format(
        "ledger '{}' has {} bytes; what is to be done can make up to {} more, and there is room for "
        "{}. Take fewer epochs or seeds, or another --out.",
        done_.path().string(), done_.bytes(), bytes, done_.room()));
  }

  /// What the ledger has of a configuration and a seed; null where there is nothing. Another configuration can have the same fingerprint
  /// where somebody made it to.
  const nlohmann::json* line_of(const nlohmann::json& configuration, std::uint64_t seed) const {
    const std::string hash = fingerprint(configuration.dump());
    const auto* line = done_.find(hash, seed);
    if (line != nullptr && line->at("configuration") != configuration) {
      throw cn::error(fmt::format(
          "ledger '{}': the line of hash {} and seed {} is of another configuration than the hash says. Take "
          "the line out; its work is then done again.",
          done_.path().string(), hash, seed));
    }
    return line;
  }

  void add(const setting& s, nlohmann::json configuration, std::uint64_t seed, std::int64_t steps,
           std::uint64_t bytes, const std::string& label, std::function<nlohmann::json(keeper&)> work) {
    const std::pair<std::string, std::uint64_t> key{fingerprint(configuration.dump()), seed};
    if (line_of(configuration, seed) != nullptr) {  // a run that was killed right after that left its folder
      remove_unfinished(configuration, seed);
      return;
    }
    if (!planned_.insert(key).second) return;
    const int partial = configuration.value("K", s.search.partial);
    jobs_.push_back({fmt::format("{} seed {}", label, seed), s.sizes.name, partial, std::move(configuration),
                     seed, steps, bytes, std::move(work)});
  }

  /// Trainings differ in their cells alone.
  static std::string name_of(const planned_run& one) {
    const std::string cell = one.configuration.value("genotype", std::string());
    return cell.empty() ? one.label : one.label + ", " + cell;
  }

  void run_one(const planned_run& one) {
    const auto started = std::chrono::steady_clock::now();
    nlohmann::json result;
    {
      unfinished_run saved_by(
          unfinished_folder(one.configuration, one.seed), signals_,
          {.configuration = {{"configuration", one.configuration.dump()}}, .device = options_.device.str()},
          options_.save_after);
      result = named_work(name_of(one), [&] { return one.work(saved_by); });
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    done_.append({{"hash", fingerprint(one.configuration.dump())},
                  {"seed", one.seed},
                  {"scale", one.scale},
                  {"K", one.partial},
                  {"library", CRISPNAS_VERSION},
                  {"libtorch", TORCH_VERSION},
                  {"device", options_.device_name},
                  {"wall_seconds", seconds},
                  {"configuration", one.configuration},
                  {"result", std::move(result)}});
    remove_unfinished(one.configuration, one.seed);
    const std::lock_guard lock(guard_);
    last_ = one.label;
    ++finished_;
  }

  [[noreturn]] void stop() const {
    const int signal = signals_.received();
    throw ended_early(
        fmt::format(
            "stopped by {}: {} of {} pieces of work are done and in the ledger; what was under way is "
            "saved in '{}'. The same command goes on.",
            stop_signals::name(signal), finished_, jobs_.size(), options_.unfinished.string()),
        128 + signal);
  }

  /// What a piece of work tells of its steps: those done before it went on count, too.
  step_callback steps() {
    return [this, done = std::int64_t{0}](const cn::step_progress& p) mutable {
      const std::int64_t now = (p.epoch - 1) * p.steps + p.step;
      const std::lock_guard lock(guard_);
      for (; done < now; ++done)
        if (bar_ != nullptr) bar_->advance(last_.empty() ? std::string() : "finished: " + last_);
    };
  }

  nlohmann::json run_search(const setting& s, const search_request& request, std::uint64_t seed,
                            keeper& saved_by) {
    const auto method = method_of(s, request);
    std::vector<budget_choice> cuts;
    for (int kept : request.cuts) cuts.push_back(darts_budget(kept));
    const auto found = support::run_search(method, request.kept, cuts, scale_of(s, request), s.train,
                                           s.held_out, seed, steps(), {}, {}, &saved_by);
    return search_json(method.configuration.space, found);
  }

  nlohmann::json run_retraining(const setting& s, const std::string& genotype, std::uint64_t seed,
                                keeper& saved_by) {
    if (s.transfer || s.sizes.retrain == "derived") return run_derived(s, genotype, seed, saved_by);
    // The budget with all edges present: any cell of any budget can be cut out of it.
    const auto method = darts_method("da2s", 8, s.retraining.partial);
    cn::any_supernet probe(method.configuration.space, method.configuration.ops, method.configuration.plan,
                           {.channels = 2 * s.retraining.partial, .cells = 3, .classes = 2});
    const auto cut = cn::cut_of(probe, cn::parse_genotype(genotype));
    const double accuracy = train_cut(method, cut, s.retraining, s.train, s.held_out, seed,
                                      rate_falls::each_step, steps(), &saved_by);
    return {{"error", 100.0 - accuracy}};
  }

  nlohmann::json run_derived(const setting& s, const std::string& genotype, std::uint64_t seed,
                             keeper& saved_by) {
    auto training = training_of(s, cn::parse_genotype(genotype), seed);
    training.options.on_step = steps();
    training_images images;
    if (s.transfer) {
      images = s.transfer->images;
    } else {
      images.train = cn::training_set_of(s.train);
      images.held_out = [&s](std::int64_t batch_size, at::Device device) -> cn::batch_source {
        return cn::sequential_batches(s.held_out, {.batch_size = batch_size, .device = device});
      };
    }
    const auto found = train_derived(training, images, &saved_by);
    return {{"error", 100.0 - found.top1}, {"top5_error", 100.0 - found.top5}, {"loss", found.loss}};
  }

  std::filesystem::path unfinished_folder(const nlohmann::json& configuration, std::uint64_t seed) const {
    return options_.unfinished / fmt::format("{}-{}", fingerprint(configuration.dump()), seed);
  }
  void remove_unfinished(const nlohmann::json& configuration, std::uint64_t seed) const {
    std::error_code ignored;  // it costs only room, and is removed when the result is asked for again
    std::filesystem::remove_all(unfinished_folder(configuration, seed), ignored);
  }

  ledger& done_;
  const stop_signals& signals_;
  options options_;
  std::vector<planned_run> jobs_;
  std::set<std::pair<std::string, std::uint64_t>> planned_;
  std::mutex guard_;
  progress* bar_ = nullptr;
  std::string last_;
  std::size_t finished_ = 0;
};

}  // namespace support
