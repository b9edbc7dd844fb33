// One search as the programs run it: build, search epoch by epoch, cut, measure. And a cut cell trained from scratch.
#pragma once

#include <fmt/format.h>

#include <crispnas/crispnas.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "epoch_log.hpp"
#include "errors.hpp"
#include "keeper.hpp"
#include "lost_watch.hpp"
#include "methods.hpp"

namespace support {

/// The quantities of a run, printed with every number.
struct scale {
  int channels = 16;
  int cells = 3;
  int partial = 4;
  int epochs = 6;
  std::int64_t batch_size = 32;
  double weight_rate = 0.1;
  double last_weight_rate = 0.0;
  double arch_rate = 0.0;       ///< of alpha and beta; 0: so that they can travel as far as in the paper
  double alpha_rate = 0.0;      ///< 0: as arch_rate says
  double beta_rate = 0.0;       ///< 0: as arch_rate says
  cn::search_options others{};  ///< momentum, decays, clip, warm-ups; the rest of it stands here
  double travel = 19500 * 3e-4;
  bool reestimate = false;  ///< also measure the cut with batch-norm statistics measured again
  cn::search_order order = cn::search_order::first;
  double strength =
      1.0;  ///< factor on the whole regularizer (equation 7 as it is; the authors' code has 0.1)
  cn::augmentation augment{};
  at::Device device = at::kCPU;
  cn::compute_path path = cn::compute_path::automatic;
};

struct search_result {
  std::string method;
  int kept = 0;
  std::uint64_t seed = 0;
  std::vector<epoch_record> epochs;
  std::vector<int> budgets;                         ///< that it was cut to
  std::vector<cn::discretization_gap_report> gaps;  ///< one per budget
  std::vector<cn::network_cut> cuts;
  std::vector<cn::genotype> genotypes;
  std::vector<at::Tensor> op_weights;  ///< final, one per cell type
  std::vector<at::Tensor> edge_weights;
  double seconds = 0.0;
};

using step_callback = std::function<void(const cn::step_progress&)>;

inline cn::supernet_options network_options(const scale& s, const cn::labelled_images& data,
                                            std::uint64_t seed) {
  return {.channels = s.channels,
          .cells = s.cells,
          .classes = static_cast<int>(data.classes()),
          .image_channels = static_cast<int>(data.images().size(1)),
          .seed = seed,
          .device = s.device,
          .path = s.path};
}

inline cn::search_options search_options_of(const scale& s, std::int64_t images, double strength,
                                            std::uint64_t seed) {
  cn::search_options options = s.others;
  options.epochs = s.epochs;
  options.batch_size = s.batch_size;
  options.seed = seed;
  options.order = s.order;
  options.weight_rate = s.weight_rate;
  options.last_weight_rate = s.last_weight_rate;
  const auto steps = s.epochs * (images / 2 / s.batch_size);
  const double arch_rate = s.arch_rate > 0 ? s.arch_rate : cn::rate_for_travel(steps, s.travel);
  options.alpha_rate = s.alpha_rate > 0 ? s.alpha_rate : arch_rate;
  options.beta_rate = s.beta_rate > 0 ? s.beta_rate : arch_rate;
  options.strength = strength;
  options.augment = s.augment;
  return options;
}

/// Tries what a run would begin with, so that options that cannot work are found before hours depend on them, and are the caller's
/// mistake (exit code 2).
inline void check_run(const method_choice& method, const scale& s, const cn::labelled_images& train) {
  or_usage_error([&] {
    cn::any_supernet net(method.configuration.space, method.configuration.ops, method.configuration.plan,
                         network_options(s, train, 0));
    cn::searcher search(net, method.configuration.regularizer,
                        search_options_of(s, train.size(), s.strength, 0));
    search.run(train.halves());
    cn::epoch_batches(train.head(2), {.batch_size = 2, .augment = s.augment}).batch(0);
    if (!net.options().device.is_meta()) {
      at::NoGradGuard no_grad;
      net.forward(at::zeros({2, train.images().size(1), train.images().size(2), train.images().size(3)},
                            net.options().device));
    }
  });
}

/// Searches, cuts to every budget of `budgets` (empty: the method's own), measures on `held_out`. With a keeper the search is saved on
/// the way, and goes on from what was saved.
inline search_result run_search(const method_choice& method, int kept,
                                const std::vector<budget_choice>& budgets, const scale& s,
                                const cn::labelled_images& train, const cn::labelled_images& held_out,
                                std::uint64_t seed, const step_callback& on_step,
                                const std::function<void(const epoch_record&)>& on_epoch = {},
                                const std::function<void(cn::any_supernet&, const cn::batches&)>& at_end = {},
                                keeper* saved_by = nullptr) {
  search_result result;
  result.method = method.name;
  result.kept = kept;
  result.seed = seed;
  cn::any_supernet net(method.configuration.space, method.configuration.ops, method.configuration.plan,
                       network_options(s, train, seed));
  auto options = search_options_of(s, train.size(), method.strength * s.strength, seed);
  options.on_step = on_step;
  epoch_log done;
  if (saved_by != nullptr) {
    options.on_step = [&](const cn::step_progress& progress) {
      on_step(progress);
      saved_by->after_step();
    };
    options.stop = [&] { return saved_by->stop(); };
  }
  cn::searcher search(net, method.configuration.regularizer, options);
  if (saved_by != nullptr) {
    const auto state = [&] {
      cn::named_state all = search.state();
      all.add("epochs", done.state());
      all.add("seconds", result.seconds);
      return all;
    };
    saved_by->begin(state, [&] { return search.position_text(); });
    result.epochs = done.records();
  }
  // By as many images as a step takes, which fit with all that gradients need.
  const auto held = cn::sequential_batches(held_out, {.batch_size = s.batch_size, .device = s.device});
  for (const auto& report : search.run(train.halves())) {
    epoch_record record;
    record.report = report;
    const auto soft = net.arch().fixed_weights();
    for (const auto& w : soft) {
      const auto on_cpu = [](const at::Tensor& t) { return t.defined() ? t.to(at::kCPU).clone() : t; };
      record.weights.push_back({on_cpu(w.ops), on_cpu(w.edges), {}});
    }
    if (on_epoch) {
      record.before = cn::accuracy(net, soft, held);
      record.after = cn::accuracy(net, cn::cut_weights(net.space(), cn::cut_network(net), soft), held);
      on_epoch(record);
    }
    result.seconds += report.seconds;
    done.add(record);
    result.epochs.push_back(std::move(record));
    if (saved_by != nullptr) saved_by->after_epoch(report.epoch);
  }
  if (search.stopped()) saved_by->end_early();
  const auto calibration = cn::epoch_batches(
      train, {.batch_size = s.batch_size, .epoch = s.epochs + 1, .augment = s.augment, .device = s.device});
  const auto measure = [&](int edges, const cn::cell_table& normal, const cn::cell_table& reduction) {
    result.budgets.push_back(edges);
    result.cuts.push_back(cn::cut_network(net, normal, reduction));
    result.gaps.push_back(
        cn::measure_gap(net, result.cuts.back(), held, s.reestimate ? &calibration : nullptr));
    result.genotypes.push_back(cn::genotype_of(net.space(), result.cuts.back()));
  };
  if (budgets.empty()) measure(kept, net.space().normal, net.space().reduction);
  for (const auto& budget : budgets) measure(budget.kept, budget.normal, budget.reduction);
  if (at_end) at_end(net, held);
  for (const auto& w : net.arch().fixed_weights()) {
    result.op_weights.push_back(w.ops.to(at::kCPU));
    result.edge_weights.push_back(w.edges.defined() ? w.edges.to(at::kCPU) : at::Tensor());
  }
  return result;
}

/// When the rate falls along its cosine: with each epoch, or with each step, which lets it fall all the way in a few epochs.
enum class rate_falls { each_epoch, each_step };

/// Trains the cell of a cut from scratch, in the network it was searched in (same channels, cells and K), for the epochs of `s` over
/// `images`; returns held-out accuracy in percent. With a keeper it is saved on the way, and goes on from what was saved. Throws
/// crispnas::error where a number is lost.
inline double train_cut(const method_choice& method, const cn::network_cut& cut, const scale& s,
                        const cn::labelled_images& images, const cn::labelled_images& held_out,
                        std::uint64_t seed, rate_falls falls, const step_callback& on_step = {},
                        keeper* saved_by = nullptr) {
  cn::any_supernet net(method.configuration.space, method.configuration.ops, method.configuration.plan,
                       network_options(s, images, seed));
  const auto fixed = cn::cut_weights(net.space(), cut, net.arch().fixed_weights());
  cn::sgd optimizer(net.weights(), {.rate = s.weight_rate});
  std::int64_t epoch = 1;
  std::int64_t step = 0;  // of it that are done
  lost_watch lost(net);
  if (saved_by != nullptr) {
    const auto state = [&] {
      lost.settle();
      cn::named_state all;
      std::vector<std::string> names;
      for (const auto& p : net.named_parameters()) {
        all.add("weights." + p.key(), p.value());
        names.push_back(p.key());
      }
      for (const auto& b : net.named_buffers()) all.add("statistics." + b.key(), b.value());
      all.add("sgd", optimizer.state(names));
      all.add("epoch", epoch);
      all.add("step", step);
      return all;
    };
    saved_by->begin(state, [&] { return fmt::format("epoch {} of {}, step {}", epoch, s.epochs, step); });
  }
  net.train();
  for (; epoch <= s.epochs; ++epoch, step = 0) {
    optimizer.rate(cn::cosine_rate(s.weight_rate, s.last_weight_rate, static_cast<int>(epoch), s.epochs));
    cn::batch_stream batches(cn::epoch_batches(images, {.batch_size = s.batch_size,
                                                        .seed = seed,
                                                        .epoch = static_cast<int>(epoch),
                                                        .augment = s.augment,
                                                        .device = s.device}));
    const std::int64_t steps = batches.size();
    while (step < steps) {
      if (saved_by != nullptr && saved_by->stop()) saved_by->end_early();
      if (falls == rate_falls::each_step) {
        optimizer.rate(cn::cosine_rate(s.weight_rate, s.last_weight_rate,
                                       static_cast<int>((epoch - 1) * steps + step + 1),
                                       static_cast<int>(s.epochs * steps)));
      }
      cn::within_memory(
          [&] {
            auto b = batches.batch(step);
            cn::step_result result;
            cn::weight_step(net, fixed, optimizer, 5.0, {b.images, b.labels}, result);
            lost.after_step({epoch, step, optimizer.rate(), std::move(b.indices)}, result);
          },
          [&] { return cn::memory_advice(net, s.batch_size); });
      ++step;
      if (on_step) on_step({static_cast<int>(epoch), s.epochs, step, steps});
      if (saved_by != nullptr) saved_by->after_step();
    }
  }
  lost.settle();
  return cn::accuracy(net, fixed,
                      cn::sequential_batches(held_out, {.batch_size = s.batch_size, .device = s.device}));
}

/// The same for as many steps as the search took on its weights, on the same half of the images.
inline double retrain(const method_choice& method, const cn::network_cut& cut, const scale& s,
                      const cn::labelled_images& train, const cn::labelled_images& held_out,
                      std::uint64_t seed) {
  return train_cut(method, cut, s, train.halves().weights, held_out, seed, rate_falls::each_epoch);
}

}  // namespace support
