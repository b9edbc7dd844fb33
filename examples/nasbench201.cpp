// How good is the cell that a search finds, among all 15,625 of NAS-Bench-201? Searches in that space and looks the found cells up in
// the table of accuracies that the benchmark trained. `search` and `lookup`.
#include <fmt/format.h>

#include <algorithm>
#include <crispnas/crispnas.hpp>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/cli.hpp"
#include "support/datasets.hpp"
#include "support/experiment.hpp"
#include "support/find_genotype.hpp"
#include "support/nas_bench_table.hpp"
#include "support/output.hpp"
#include "support/pool.hpp"
#include "support/progress.hpp"
#include "support/statistics.hpp"

namespace {

namespace cn = crispnas;

struct flags {
  std::string table;
  std::string cell;
  std::vector<std::string> methods{"da2s", "darts", "pc_darts", "random"};
  std::string dataset = "cifar-10";
  std::string data;
  std::string out = "crispnas-nasbench201";
  std::int64_t images = 10000;
  std::int64_t held_out = 1000;
  int seeds = 3;
  int first_seed = 0;
  int correlation = 100;
  int workers = support::default_workers();
  bool quiet = false;
  // The strength was chosen without the table, by the held-out accuracy of the cut super-network: README.md.
  support::scale scale{.channels = 8,
                       .cells = 1,
                       .partial = 1,
                       .epochs = 4,
                       .batch_size = 64,
                       .weight_rate = 0.1,
                       .strength = 0.1};
};

struct found_cell {
  std::string method;
  std::uint64_t seed = 0;
  cn::genotype cell;
  support::nas_bench_table::entry accuracy{};
  double before = 0.0, after = 0.0;  ///< of the super-network; 0 where there was none
  double correlation = 0.0;
  double seconds = 0.0;
};

std::string look_up(const support::nas_bench_table& table, const support::nas_bench_table::entry& a) {
  return fmt::format("CIFAR-10 {:.2f}, CIFAR-100 {:.2f}, ImageNet-16-120 {:.2f}; rank {} of {} on CIFAR-10",
                     a[0], a[1], a[2], table.rank(a), table.entries().size());
}

void print_bounds(const support::nas_bench_table& table) {
  fmt::print("the table: best {:.2f}, {:.2f}, {:.2f}; mean {:.2f}, {:.2f}, {:.2f}\n", table.best(0),
             table.best(1), table.best(2), table.mean(0), table.mean(1), table.mean(2));
}

void lookup(const flags& f) {
  const auto table = support::or_usage_error([&] { return support::nas_bench_table(f.table); });
  const auto cell = support::find_genotype(f.cell);
  const auto accuracy = support::or_usage_error([&] { return table.at(cell); });
  fmt::print("{}\n{}\n", cn::to_text(cell), look_up(table, accuracy));
  print_bounds(table);
}

/// Whether the cut super-network ranks random cells as the table does: Spearman's correlation over `count` of them.
double correlation_of(const support::nas_bench_table& table, cn::any_supernet& net, const cn::batches& held,
                      int count, std::uint64_t seed) {
  std::vector<double> ours, theirs;
  const auto soft = net.arch().fixed_weights();
  for (int i = 0; i < count; ++i) {
    const auto cut = cn::random_cut(net.space(), net.space().normal, net.space().reduction,
                                    7919 * (seed + 1) + static_cast<std::uint64_t>(i));
    ours.push_back(cn::accuracy(net, cn::cut_weights(net.space(), cut, soft), held));
    theirs.push_back(table.at(cn::genotype_of(net.space(), cut))[0]);
  }
  return support::rank_correlation(ours, theirs);
}

void search(const flags& f) {
  support::check_output_folder(f.out);
  for (std::size_t i = 0; i < f.methods.size(); ++i) {
    if (std::find(f.methods.begin(), f.methods.begin() + std::ptrdiff_t(i), f.methods[i]) !=
        f.methods.begin() + std::ptrdiff_t(i)) {
      throw support::usage_error("--methods names " + f.methods[i] + " twice.");
    }
  }
  support::scale s = f.scale;
  std::optional<support::nas_bench_table> table;  // none: nothing is looked up, for choosing options
  if (!f.table.empty()) {
    support::or_usage_error([&] { table.emplace(f.table); });
  }
  const auto data = support::or_usage_error([&] {
    if (f.dataset != "cifar-10")
      return support::load_fashion_mnist(f.data.empty() ? support::fashion_mnist_folder : f.data.c_str());
    if (f.data.empty()) throw cn::error("--data is needed with cifar-10: the folder of data_batch_1.bin.");
    return support::load_cifar10(f.data);
  });
  const auto train = support::or_usage_error([&] { return data.train.head(f.images); });
  const auto held_out = support::or_usage_error([&] { return data.held_out.head(f.held_out); });
  const auto steps = s.epochs * (train.size() / 2 / s.batch_size);
  // Alpha can go as far as in the paper in the steps in which it does not wait.
  const auto waiting = std::lround(s.others.alpha_warmup * s.epochs);
  if (s.arch_rate <= 0)
    s.arch_rate = cn::rate_for_travel((s.epochs - waiting) * (train.size() / 2 / s.batch_size), s.travel);
  int searches = 0;
  for (const auto& name : f.methods) {
    if (name == "random") continue;
    support::check_run(support::nas_bench_201_method(name), s, train);
    searches += f.seeds;
  }
  fmt::print(
      "{}: C = {}, {} cell(s) a stage, {}\nweights: SGD {} to {} (cosine); alpha: Adam {:.4f} after {} of "
      "the epochs; regularizer "
      "x {}\n"
      "every method with all channels (K = 1); no edge has a weight that could be cut: every edge is "
      "kept\n\n",
      f.dataset, s.channels, s.cells, support::scale_text(s, train.size(), held_out.size()), s.weight_rate,
      s.last_weight_rate, s.arch_rate, s.others.alpha_warmup, s.strength);
  std::fflush(stdout);

  std::mutex guard;
  std::vector<found_cell> found;
  std::vector<std::function<void()>> jobs;
  support::progress bar("searching", std::max(1, searches) * steps, f.quiet);
  for (int i = 0; i < f.seeds; ++i) {
    const auto seed = static_cast<std::uint64_t>(f.first_seed + i);
    for (const auto& name : f.methods) {
      jobs.push_back([&, name, seed] {
        found_cell result{name, seed, {}};
        if (name == "random") {
          const auto space = support::nas_bench_201_method("da2s").configuration.space;
          result.cell =
              cn::genotype_of(space, cn::random_cut(space, space.normal, space.reduction, 104729 + seed));
        } else {
          const auto method = support::nas_bench_201_method(name);
          const auto on_step = [&](const cn::step_progress& p) {
            const std::lock_guard lock(guard);
            bar.advance(fmt::format("{} seed {} epoch {}", name, seed, p.epoch));
          };
          const auto at_end = [&](cn::any_supernet& net, const cn::batches& held) {
            if (table && f.correlation > 1)
              result.correlation = correlation_of(*table, net, held, f.correlation, seed);
          };
          auto run = support::named_work(fmt::format("{} seed {}", name, seed), [&] {
            return support::run_search(method, 6, {}, s, train, held_out, seed, on_step, {}, at_end);
          });
          result.cell = run.genotypes.front();
          result.before = run.gaps.front().before;
          result.after = run.gaps.front().after;
          result.seconds = run.seconds;
        }
        if (table) result.accuracy = table->at(result.cell);
        const std::lock_guard lock(guard);
        found.push_back(std::move(result));
      });
    }
  }
  support::run_side_by_side(jobs, f.workers);
  bar.finish();
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.method, a.seed) < std::tie(b.method, b.seed);
  });

  nlohmann::json report{{"scale", support::scale_json(s, train.size(), held_out.size())},
                        {"weight_rate", s.weight_rate},
                        {"strength", s.strength},
                        {"alpha_warmup", s.others.alpha_warmup}};
  if (table) report.update({{"best", table->best()}, {"mean", table->mean()}});
  std::string rows;
  for (const auto& name : f.methods) {
    std::array<std::vector<double>, 3> accuracy;
    std::vector<double> correlation, before, after;
    for (const auto& r : found) {
      if (r.method != name) continue;
      nlohmann::json entry{{"method", r.method}, {"seed", r.seed}, {"cell", cn::to_text(r.cell)}};
      rows += fmt::format("{:>9} seed {}: {}\n", r.method, r.seed, cn::to_text(r.cell));
      if (table) rows += fmt::format("{:>17}{}\n", "", look_up(*table, r.accuracy));
      if (name != "random") {
        rows += fmt::format("{:>17}super-network {:.1f} -> {:.1f} by the cut", "", r.before, r.after);
        if (table && f.correlation > 1)
          rows += fmt::format("; rank correlation with the table over {} random cells {:.3f}", f.correlation,
                              r.correlation);
        rows += '\n';
        correlation.push_back(r.correlation);
        before.push_back(r.before);
        after.push_back(r.after);
        entry.update({{"before", r.before}, {"after", r.after}, {"seconds", r.seconds}});
      }
      if (table) {
        for (std::size_t d = 0; d < 3; ++d) accuracy[d].push_back(r.accuracy[d]);
        entry.update({{"accuracy", r.accuracy}, {"rank", table->rank(r.accuracy)}});
        if (name != "random") entry["rank_correlation"] = r.correlation;
      }
      report["cells"].push_back(entry);
    }
    const auto text = [](const std::vector<double>& v) {
      return fmt::format("{:.2f} +- {:.2f}", support::mean_of(v), support::deviation_of(v));
    };
    std::string line = fmt::format("{:>9}", name);
    if (table) {
      line += fmt::format(" | CIFAR-10 {:>14} | CIFAR-100 {:>14} | ImageNet-16-120 {:>14}", text(accuracy[0]),
                          text(accuracy[1]), text(accuracy[2]));
      if (!correlation.empty() && f.correlation > 1)
        line += fmt::format(" | rank correlation {}", text(correlation));
    } else if (!before.empty()) {
      line += fmt::format(" | super-network {} -> {} by the cut", text(before), text(after));
    }
    fmt::print("{}\n", line);
  }
  fmt::print("\n{}\n", rows);
  if (table) print_bounds(*table);
  support::write_file(std::filesystem::path(f.out) / "nasbench201.json", report.dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  flags f;
  support::scale& s = f.scale;
  CLI::App app{"Searches in NAS-Bench-201's space and looks cells up in its table."};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  auto* one = app.add_subcommand("lookup", "what the table knows of one cell");
  one->add_option("cell", f.cell, "the cell, as |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")->required();
  one->add_option("--table", f.table, "CSV file of the accuracies")->required();
  auto* many =
      app.add_subcommand("search", "searches, cuts, and looks the found cells up if there is a table");
  many->option_defaults()->always_capture_default();
  many->add_option("--table", f.table, "CSV file of the accuracies; without it nothing is looked up");
  many->add_option("--methods", f.methods, "what is searched by")
      ->delimiter(',')
      ->check(support::one_of({"da2s", "control", "darts", "pc_darts", "random"}));
  many->add_option("--dataset", f.dataset, "images")->check(support::one_of({"cifar-10", "fashion-mnist"}));
  many->add_option("--data", f.data, "folder of the images");
  many->add_option("--out", f.out, "folder for the numbers");
  many->add_option("--images", f.images, "training images, both halves together")
      ->check(support::between(2, 1000000));
  many->add_option("--held-out", f.held_out, "held-out images")->check(support::between(1, 1000000));
  many->add_option("--seeds", f.seeds, "how many seeds")->check(support::between(1, 100));
  many->add_option("--first-seed", f.first_seed, "the first seed")->check(support::between(0, 1000000));
  many->add_option("--correlation", f.correlation, "random cells for the rank correlation; 0: none")
      ->check(support::between(0, 15625));
  many->add_option("--workers", f.workers, "searches side by side")->check(support::between(1, 256));
  many->add_option("--channels", s.channels, "channels C of the first stage")
      ->check(support::between(1, 1024));
  many->add_option("--cells", s.cells, "cells of each stage")->check(support::between(1, 100));
  many->add_option("--epochs", s.epochs, "epochs")->check(support::between(1, 100000));
  many->add_option("--batch", s.batch_size, "images in a batch")->check(support::between(2, 1000000));
  many->add_option("--weight-rate", s.weight_rate, "initial rate of the weights")
      ->check(support::not_negative());
  many->add_option("--arch-rate", s.arch_rate,
                   "rate of alpha; 0: so that a logit can travel as far as in the paper")
      ->check(support::not_negative());
  many->add_option("--alpha-warmup", s.others.alpha_warmup,
                   "fraction of the epochs in which alpha waits, whatever the method")
      ->check(support::not_negative());
  many->add_option("--strength", s.strength, "factor on the regularizer")->check(support::not_negative());
  many->add_flag("--quiet", f.quiet, "no progress");
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("nasbench201", [&] { one->parsed() ? lookup(f) : search(f); });
}
