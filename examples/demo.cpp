// What does the cut cost? Searches on Fashion-MNIST with and without DA2S, cuts to 3, 4, 5, 6 and 8 of 14 edges, and prints the
// accuracy before and after the cut in the layout of the paper's table 4.
#include <fmt/format.h>

#include <crispnas/crispnas.hpp>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "support/cli.hpp"
#include "support/datasets.hpp"
#include "support/experiment.hpp"
#include "support/output.hpp"
#include "support/pool.hpp"
#include "support/progress.hpp"
#include "support/statistics.hpp"

namespace {

namespace cn = crispnas;

const std::vector<int> budgets{3, 4, 5, 6, 8};

struct demo_options {
  std::string data = support::fashion_mnist_folder;
  std::string out = "crispnas-demo";
  int seeds = 1;
  int first_seed = 0;
  int random_cells = 0;
  int workers = support::default_workers();
  std::int64_t images = 6400;
  std::int64_t held_out = 1000;
  bool quiet = false;
  std::string path = "fused";
  support::scale scale{};
};

std::string table(const std::vector<support::search_result>& results, int kept) {
  std::map<std::string, std::vector<double>> before;
  std::map<std::string, std::vector<double>> after;
  for (const auto& r : results) {
    for (std::size_t i = 0; i < r.budgets.size(); ++i) {
      if (r.budgets[i] != kept) continue;
      before[r.method].push_back(r.gaps[i].before);
      after[r.method].push_back(r.gaps[i].after);
    }
  }
  std::string row = fmt::format("{:>4}/14 ", kept);
  for (const char* method : {"darts", "control", "da2s"}) {
    row += fmt::format("| {:>13} -> {:<13} ", support::mean_text(before[method]),
                       support::mean_text(after[method]));
  }
  std::vector<double> lost;
  for (std::size_t i = 0; i < before["da2s"].size(); ++i)
    lost.push_back(before["da2s"][i] - after["da2s"][i]);
  return row + fmt::format("| {:>12}\n", support::mean_text(lost));
}

void run(const demo_options& options) {
  support::check_output_folder(options.out);
  const auto data = support::or_usage_error([&] { return support::load_fashion_mnist(options.data); });
  const auto train = support::or_usage_error([&] { return data.train.head(options.images); });
  const auto held_out = support::or_usage_error([&] { return data.held_out.head(options.held_out); });
  const support::scale& s = options.scale;
  support::check_run(support::darts_method("da2s", 8, s.partial), s, train);
  const auto steps = s.epochs * (train.size() / 2 / s.batch_size);
  fmt::print("Fashion-MNIST: {}\n", support::scale_text(s, train.size(), held_out.size()));
  fmt::print(
      "weights: SGD {} to {} (cosine); alpha, beta: Adam {:.4f}, so that a logit can travel {:.2f} as in the "
      "paper; "
      "regularizer x {}\n",
      s.weight_rate, s.last_weight_rate, cn::rate_for_travel(steps, s.travel), s.travel, s.strength);
  fmt::print(
      "held-out images train nothing; kept ops and edges at weight 1; batch-norm statistics as they are\n"
      "darts: K = {} as the others, no edge weights; control: the 8/14 super-network without a regularizer; "
      "both searched "
      "once, cut to each budget\n{}\n",
      s.partial, options.path == "stock" ? "cells by LibTorch's operations, not by the fused kernels\n" : "");
  std::fflush(stdout);

  std::vector<support::budget_choice> choices;
  for (int kept : budgets) choices.push_back(support::darts_budget(kept));
  std::vector<support::search_result> results;
  std::mutex guard;
  std::vector<std::function<void()>> jobs;
  const int searches = options.seeds * (2 + static_cast<int>(budgets.size()));
  support::progress bar("searching", searches * steps, options.quiet);
  const auto add = [&](const std::string& name, int kept, const std::vector<support::budget_choice>& cuts,
                       std::uint64_t seed) {
    jobs.push_back([&, name, kept, cuts, seed] {
      const auto on_step = [&](const cn::step_progress& p) {
        const std::lock_guard lock(guard);
        bar.advance(fmt::format("{} {}/14 epoch {}", name, kept, p.epoch));
      };
      const auto method = support::darts_method(name, kept, s.partial);
      auto result = support::named_work(fmt::format("{} {}/14 seed {}", name, kept, seed), [&] {
        return support::run_search(method, kept, cuts, s, train, held_out, seed, on_step);
      });
      const std::lock_guard lock(guard);
      results.push_back(std::move(result));
    });
  };
  for (int i = 0; i < options.seeds; ++i) {
    const auto seed = static_cast<std::uint64_t>(options.first_seed + i);
    for (int kept : budgets) add("da2s", kept, {support::darts_budget(kept)}, seed);
    add("darts", 8, choices, seed);    // one super-network without beta, and one without the regularizer,
    add("control", 8, choices, seed);  // each cut to every budget
  }
  support::run_side_by_side(jobs, options.workers);
  bar.finish();
  std::sort(results.begin(), results.end(), [](const auto& a, const auto& b) {
    return std::tie(a.seed, a.method, a.kept) < std::tie(b.seed, b.method, b.kept);
  });

  fmt::print("\nSuper-network accuracy on held-out images, %, before -> after the cut ({} seed{})\n",
             options.seeds, options.seeds == 1 ? "" : "s");
  fmt::print("{:>7} | {:^30} | {:^30} | {:^30} | {:>12}\n", "kept", "darts (no beta)",
             "control (no regularizer)", "da2s", "da2s loses");
  for (int kept : budgets) fmt::print("{}", table(results, kept));

  nlohmann::json report{{"scale", support::scale_json(s, train.size(), held_out.size())},
                        {"weight_rate", s.weight_rate},
                        {"strength", s.strength}};
  for (const auto& r : results) {
    for (std::size_t i = 0; i < r.budgets.size(); ++i) {
      report["results"].push_back({{"method", r.method},
                                   {"seed", r.seed},
                                   {"kept", r.budgets[i]},
                                   {"genotype", cn::to_text(r.genotypes[i])},
                                   {"gap", support::gap_json(r.gaps[i])},
                                   {"seconds", r.seconds}});
      if (r.method != "da2s") continue;
      const auto stem = fmt::format("da2s-{}-of-14-seed-{}", r.budgets[i], r.seed);
      const auto folder = std::filesystem::path(options.out);
      support::write_file(folder / (stem + "-normal.svg"), cn::to_svg(r.genotypes[i].normal));
      support::write_file(folder / (stem + "-reduction.svg"), cn::to_svg(r.genotypes[i].reduction));
      support::write_file(folder / (stem + ".txt"), cn::to_text(r.genotypes[i]) + "\n");
    }
  }

  if (options.random_cells > 0) {
    // A gap alone proves nothing: the cut cells, trained from scratch, beside random ones of the same budget.
    struct trained {
      int kept;
      bool random;
      double accuracy;
    };
    std::vector<trained> outcomes;
    std::vector<std::function<void()>> trainings;
    const auto method = support::darts_method("da2s", 8, s.partial);
    for (const auto& r : results) {
      if (r.method != "da2s") continue;
      trainings.push_back([&, &r = r] {
        // Not the seed of the search: the found cell gets no second run of the weights that it was chosen on.
        const auto seed = 500 + r.seed;
        const double a = support::named_work(
            fmt::format("da2s {}/14 seed {}, from scratch", r.kept, r.seed),
            [&] { return support::retrain(method, r.cuts.front(), s, train, held_out, seed); });
        const std::lock_guard lock(guard);
        outcomes.push_back({r.kept, false, a});
      });
    }
    for (int kept : budgets) {
      for (int i = 0; i < options.random_cells; ++i) {
        const auto seed = static_cast<std::uint64_t>(1000 * kept + i);
        trainings.push_back([&, kept, seed, i] {
          const auto budget = support::darts_budget(kept);
          const auto cut = cn::random_cut(method.configuration.space, budget.normal, budget.reduction, seed);
          const double a =
              support::named_work(fmt::format("random cell {} of {}/14, from scratch", i + 1, kept),
                                  [&] { return support::retrain(method, cut, s, train, held_out, seed); });
          const std::lock_guard lock(guard);
          outcomes.push_back({kept, true, a});
        });
      }
    }
    support::progress second("training from scratch", static_cast<std::int64_t>(trainings.size()),
                             options.quiet);
    for (auto& job : trainings) {
      job = [&, run = job] {
        run();
        const std::lock_guard lock(guard);
        second.advance();
      };
    }
    support::run_side_by_side(trainings, options.workers);
    second.finish();
    fmt::print(
        "\nThe cut cells trained from scratch for as many steps, held-out accuracy, %\n{:>7} | {:>14} | "
        "{:>14}\n",
        "kept", "da2s", "random cells");
    for (int kept : budgets) {
      std::vector<double> found;
      std::vector<double> random;
      for (const auto& o : outcomes) {
        if (o.kept == kept) (o.random ? random : found).push_back(o.accuracy);
      }
      fmt::print("{:>4}/14 | {:>14} | {:>14}\n", kept, support::mean_text(found), support::mean_text(random));
      report["from_scratch"].push_back({{"kept", kept}, {"da2s", found}, {"random", random}});
    }
  }
  support::write_file(std::filesystem::path(options.out) / "demo.json", report.dump(2) + "\n");
  fmt::print("\nPictures of the cells, genotypes and all numbers: {}\n",
             std::filesystem::absolute(options.out).lexically_normal().string());
}

}  // namespace

int main(int argc, char** argv) {
  demo_options options;
  CLI::App app{"Searches on Fashion-MNIST with and without DA2S and shows what the cut costs."};
  app.option_defaults()->always_capture_default();
  app.add_option("--data", options.data, "folder of the Fashion-MNIST files");
  app.add_option("--out", options.out, "folder for pictures and numbers");
  app.add_option("--seeds", options.seeds, "how many seeds")->check(support::between(1, 100));
  app.add_option("--first-seed", options.first_seed, "the first seed")->check(support::between(0, 1000000));
  app.add_option("--random-cells", options.random_cells,
                 "also train the cut cells and this many random ones from scratch")
      ->check(support::between(0, 100));
  app.add_option("--workers", options.workers, "searches side by side")->check(support::between(1, 256));
  app.add_option("--images", options.images, "training images")->check(support::between(200, 60000));
  app.add_option("--held-out", options.held_out, "held-out images")->check(support::between(100, 10000));
  app.add_option("--epochs", options.scale.epochs, "epochs of each search")->check(support::between(1, 1000));
  app.add_option("--batch", options.scale.batch_size, "images in a batch")->check(support::between(2, 4096));
  app.add_option("--channels", options.scale.channels, "channels C of the first cell")
      ->check(support::between(1, 65536));
  app.add_option("--cells", options.scale.cells, "cells of the super-network")
      ->check(support::between(1, 1000));
  app.add_option("--k", options.scale.partial, "partial channels: ops see 1/K")
      ->check(support::one_of({"1", "2", "4"}));
  app.add_option("--weight-rate", options.scale.weight_rate, "initial rate of the weights")
      ->check(support::not_negative());
  app.add_option("--strength", options.scale.strength, "factor on the regularizer")
      ->check(support::not_negative());
  app.add_option("--path", options.path, "what computes the cells: our kernels, or LibTorch's operations")
      ->check(support::one_of({"fused", "stock"}));
  app.add_flag("--quiet", options.quiet, "no progress");
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  options.scale.path = options.path == "stock" ? cn::compute_path::stock : cn::compute_path::automatic;
  return support::guarded("demo", [&] { run(options); });
}
