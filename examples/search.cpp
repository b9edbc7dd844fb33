// Searches a cell and measures what its cut costs. Space, K, budget and method are compiled in and chosen by name; quantities are
// flags. Leaves genotype, report, metrics, pictures and a summary in a folder.
#include <fmt/format.h>
#include <torch/version.h>

#include <crispnas/crispnas.hpp>
#include <crispnas/format.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "support/cli.hpp"
#include "support/datasets.hpp"
#include "support/experiment.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/report.hpp"
#include "support/run_keeper.hpp"

namespace {

namespace cn = crispnas;

struct search_flags {
  std::string method = "da2s";
  std::string space = "darts";
  std::string budget = "8";
  std::string partial = "4";
  std::string order = "first";
  std::string dataset = "fashion-mnist";
  std::string data;
  std::string out = "crispnas-search";
  std::string device = "cpu";
  std::int64_t images = 0;
  std::int64_t held_out = 0;
  std::uint64_t seed = 0;
  int threads = 0;
  bool quiet = false;
  bool tensorboard = false;
  std::string command;  ///< that the program was started by
  support::keeper_flags keeper;
  std::vector<std::string> darts_only;  ///< flags that were given and mean something in the DARTS space only
  support::scale scale{
      .channels = 16, .cells = 8, .epochs = 50, .weight_rate = 0.025, .reestimate = true, .strength = 1.0};
};

support::image_splits load_images(const search_flags& flags) {
  if (flags.dataset == "cifar-10") {
    if (flags.data.empty())
      throw support::usage_error("--data is needed with cifar-10: the folder of data_batch_1.bin.");
    return support::load_cifar10(flags.data);
  }
  return support::load_fashion_mnist(flags.data.empty() ? support::fashion_mnist_folder : flags.data.c_str());
}

cn::labelled_images first(const cn::labelled_images& all, std::int64_t wanted) {
  return wanted == 0 || wanted >= all.size() ? all : all.head(wanted);
}

/// What has to be the same for a search to go on.
cn::text_pairs configuration_of(const search_flags& flags, const cn::search_options& options,
                                const cn::labelled_images& train, const cn::labelled_images& held_out) {
  cn::text_pairs all{{"method", flags.method},
                     {"space", flags.space},
                     {"budget", flags.budget},
                     {"order", flags.order},
                     {"dataset", flags.dataset},
                     {"seed", std::to_string(flags.seed)},
                     {"device", flags.device},
                     {"training_data", cn::data_digest(train)},
                     {"held_out_data", cn::data_digest(held_out)}};
  support::add_settings(all, support::scale_json(flags.scale, train.size(), held_out.size()));
  support::add_settings(all, support::options_json(support::without_lost_policy(options)));
  return all;
}

int changed_by_feasibility(const support::search_result& result) {
  int changed = 0;
  for (const auto& cell : result.cuts.front()) changed += cell.kept.changed_by_feasibility() ? 1 : 0;
  return changed;
}

void write_results(const search_flags& flags, const cn::search_options& options,
                   const cn::labelled_images& train, const cn::labelled_images& held_out,
                   const cn::space_table& space, const support::search_result& result) {
  const std::filesystem::path out = flags.out;
  const cn::genotype& found = result.genotypes.front();
  const auto& gap = result.gaps.front();
  const auto title =
      fmt::format("{}, {} of {} edges", flags.method, result.kept, flags.space == "darts" ? 14 : 6);
  support::write_cell_files(out, found);
  support::write_file(out / "accuracy.svg", support::accuracy_chart(result, title));
  const nlohmann::json summary{{"method", flags.method},
                               {"space", flags.space},
                               {"order", flags.order},
                               {"kept_edges", result.kept},
                               {"dataset", flags.dataset},
                               {"seed", flags.seed},
                               {"device", flags.device},
                               {"scale", support::scale_json(flags.scale, train.size(), held_out.size())},
                               {"options", support::options_json(options)},
                               {"libtorch", TORCH_VERSION},
                               {"genotype", cn::to_text(found)},
                               {"gap", support::gap_json(gap)},
                               {"cells_changed_by_feasibility", changed_by_feasibility(result)},
                               {"seconds", result.seconds}};
  support::write_file(out / "summary.json", support::json_text(summary));
  nlohmann::json configuration = summary;
  for (const char* result_of_it :
       {"genotype", "gap", "seconds", "kept_edges", "cells_changed_by_feasibility"})
    configuration.erase(result_of_it);
  const support::search_report report{
      .title = title + ", seed " + std::to_string(flags.seed),
      .scale = flags.dataset + ": " + support::scale_text(flags.scale, train.size(), held_out.size()),
      .command = flags.command,
      .configuration = support::facts_of(configuration),
      .accuracies = support::gap_rows(gap),
      .seconds = result.seconds,
      .history = support::history_of(space, result.epochs),
      .found = found};
  nlohmann::json everything = summary;
  everything["command"] = flags.command;
  everything["history"] = support::history_json(report.history);
  support::write_file(out / "report.json", support::json_text(everything));
  support::write_file(out / "report.html", support::search_page(report));
}

void print_results(const support::search_result& result, const std::filesystem::path& out) {
  fmt::print("\n{}\n", result.genotypes.front());
  const int changed = changed_by_feasibility(result);
  if (changed > 0) fmt::print("feasibility changed the strongest edges of {} cell(s)\n", changed);
  fmt::print("held-out accuracy before -> after the cut: {}\n", result.gaps.front());
  fmt::print("{:.1f} s of search; report: {}\n", result.seconds,
             std::filesystem::absolute(out / "report.html").lexically_normal().string());
}

void run(search_flags flags) {
  support::check_output_folder(flags.out);
  support::scale& s = flags.scale;
  s.device = support::parse_device(flags.device);
  s.order = support::order_of(flags.order);
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const bool darts_space = flags.space == "darts";
  if (!darts_space && !flags.darts_only.empty()) {
    throw support::usage_error(
        fmt::format("{} belongs to the darts space; in {} every edge is kept and K = 1. Leave it out.",
                    flags.darts_only.front(), flags.space));
  }
  const int kept = darts_space ? std::stoi(flags.budget) : 6;
  s.partial = darts_space ? std::stoi(flags.partial) : 1;
  const auto data = support::or_usage_error([&] { return load_images(flags); });
  const auto train = first(data.train, flags.images);
  const auto held_out = first(data.held_out, flags.held_out);
  const auto method = darts_space ? support::darts_method(flags.method, kept, s.partial)
                                  : support::nas_bench_201_method(flags.method);
  support::check_run(method, s, train);
  const auto options = support::search_options_of(s, train.size(), method.strength * s.strength, flags.seed);

  fmt::print("{}, {} on {}, {} space, {} of {} edges, seed {}\n{}\n", flags.method,
             flags.order == "single" ? "single level" : flags.order + " order", flags.dataset, flags.space,
             kept, darts_space ? 14 : 6, flags.seed, support::scale_text(s, train.size(), held_out.size()));
  fmt::print("weights: SGD {} to {} (cosine); alpha: Adam {:.6f}, beta: Adam {:.6f}; regularizer x {}\n",
             options.weight_rate, options.last_weight_rate, options.alpha_rate, options.beta_rate,
             options.strength);
  std::fflush(stdout);

  const std::int64_t steps = train.size() / 2 / s.batch_size;  // of an epoch
  const std::filesystem::path out = flags.out;
  support::run_keeper keeper(out, flags.keeper,
                             {.configuration = configuration_of(flags, options, train, held_out),
                              .outputs = {"metrics.csv", "weights.csv", support::event_file::name},
                              .device = flags.device});
  std::optional<support::metrics_file> metrics;
  std::optional<support::weights_file> weights;
  std::optional<support::event_file> events;
  keeper.on_begin([&](bool goes_on) {
    metrics.emplace(out / "metrics.csv", goes_on);
    weights.emplace(out / "weights.csv", method.configuration.space, goes_on);
    std::error_code ignored;  // there is none
    if (!goes_on) std::filesystem::remove(out / support::event_file::name, ignored);
    if (flags.tensorboard) events.emplace(out, goes_on);
  });
  support::progress bar("searching", s.epochs * steps, flags.quiet);
  keeper.keep([&] {
    const auto result = support::run_search(
        method, kept, {}, s, train, held_out, flags.seed,
        [&](const cn::step_progress& p) { bar.update((p.epoch - 1) * p.steps + p.step); },
        [&](const support::epoch_record& e) {
          metrics->add(e);
          weights->add(e);
          if (events) events->add(e.report.epoch, support::scalars_of(method.configuration.space, e));
          bar.update(e.report.epoch * steps, fmt::format("cut {:.1f} -> {:.1f} %", e.before, e.after));
        },
        [&](cn::any_supernet& net, const cn::batches&) {
          cn::save_state(cn::published_state(net), out / "supernet.safetensors");
        },
        &keeper);
    bar.finish();
    write_results(flags, options, train, held_out, method.configuration.space, result);
    keeper.done();
    print_results(result, out);
  });
}

}  // namespace

int main(int argc, char** argv) {
  search_flags flags;
  flags.command = support::command_text(argc, argv);
  support::scale& s = flags.scale;
  CLI::App app{"Searches a cell and measures what its cut costs."};
  app.option_defaults()->always_capture_default();
  app.add_option("--method", flags.method, "what is searched by")
      ->check(support::one_of(support::method_names));
  app.add_option("--space", flags.space, "search space")->check(support::one_of(support::space_names));
  app.add_option("--budget", flags.budget, "edges to keep of 14 (darts space)")
      ->check(support::one_of(support::budget_names));
  app.add_option("--k", flags.partial, "ops see 1/K of the channels (darts space)")
      ->check(support::one_of(support::partial_names));
  app.add_option("--order", flags.order, "bilevel of first or second order, or a single level")
      ->check(support::one_of(support::order_names));
  app.add_option("--dataset", flags.dataset, "images")->check(support::one_of({"fashion-mnist", "cifar-10"}));
  app.add_option("--data", flags.data, "folder of the images");
  app.add_option("--images", flags.images, "training images, both halves together; 0: all")
      ->check(support::not_negative());
  app.add_option("--held-out", flags.held_out, "held-out images; 0: all")->check(support::not_negative());
  app.add_option("--out", flags.out, "folder for the results");
  app.add_option("--device", flags.device, "cpu, cuda or cuda:N");
  app.add_option("--threads", flags.threads, "CPU threads; 0: as LibTorch chooses")
      ->check(support::between(0, 1024));
  app.add_option("--seed", flags.seed, "of initial values, shuffles and augmentation")
      ->check(support::not_negative());
  app.add_option("--channels", s.channels, "channels C of the first cell")->check(support::between(1, 65536));
  app.add_option("--cells", s.cells, "cells (nas_bench_201: of each stage)")
      ->check(support::between(1, 1000));
  app.add_option("--epochs", s.epochs, "epochs")->check(support::between(1, 100000));
  app.add_option("--batch", s.batch_size, "images in a batch")->check(support::between(2, 1000000));
  app.add_option("--weight-rate", s.weight_rate, "initial rate of the weights")
      ->check(support::not_negative());
  app.add_option("--last-weight-rate", s.last_weight_rate, "rate of the weights at the end of the cosine")
      ->check(support::not_negative());
  app.add_option("--arch-rate", s.arch_rate,
                 "rate of alpha and beta; 0: so that a logit can travel as far as in the paper")
      ->check(support::not_negative());
  app.add_option("--alpha-rate", s.alpha_rate, "rate of alpha alone; 0: as --arch-rate says")
      ->check(support::not_negative());
  app.add_option("--beta-rate", s.beta_rate, "rate of beta alone; 0: as --arch-rate says")
      ->check(support::not_negative());
  app.add_option("--momentum", s.others.momentum, "of the weights")->check(support::not_negative());
  app.add_option("--weight-decay", s.others.weight_decay, "of the weights")->check(support::not_negative());
  app.add_option("--clip", s.others.clip, "largest norm of the weights' gradient; 0: any");
  app.add_option("--arch-decay", s.others.arch_decay, "weight decay of alpha and beta")
      ->check(support::not_negative());
  app.add_option("--alpha-warmup", s.others.alpha_warmup, "fraction of the epochs in which alpha waits")
      ->check(support::not_negative());
  app.add_option("--beta-warmup", s.others.beta_warmup, "fraction of the epochs in which beta waits")
      ->check(support::not_negative());
  app.add_option("--strength", s.strength, "factor on the regularizer")->check(support::not_negative());
  app.add_option("--crop-padding", s.augment.crop_padding, "random crop out of this much padding")
      ->check(support::not_negative());
  app.add_option("--cutout", s.augment.cutout, "side of the square that is blanked; 0: none")
      ->check(support::not_negative());
  app.add_flag("!--no-flip", s.augment.flip, "do not mirror images");
  app.add_flag("--tensorboard", flags.tensorboard, "also write event files for TensorBoard");
  app.add_flag("--quiet", flags.quiet, "no progress");
  support::add_lost_flags(app, s.others);
  support::add_keeper_flags(app, flags.keeper);
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  for (const char* flag : {"--budget", "--k"}) {
    if (app.count(flag) > 0) flags.darts_only.emplace_back(flag);
  }
  return support::guarded("search", [&] { run(flags); });
}
