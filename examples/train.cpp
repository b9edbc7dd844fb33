// Trains the network of a genotype from scratch by a recipe of the field, and measures it on images that it was not trained on. Leaves
// weights under their published names, metrics and a summary in a folder.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <CLI/CLI.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/search/configuration_text.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/train/trainer.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/cli.hpp"
#include "support/csv.hpp"
#include "support/datasets.hpp"
#include "support/find_genotype.hpp"
#include "support/image_folder.hpp"
#include "support/progress.hpp"
#include "support/run_keeper.hpp"
#include "support/train_json.hpp"
#include "support/write_file.hpp"

namespace {

namespace cn = crispnas;

struct train_flags {
  std::string genotype;
  std::string recipe = "cifar";
  std::string network;
  std::string dataset;
  std::string data;
  std::string out = "crispnas-train";
  std::string device = "cpu";
  std::string numbers = "full";
  std::string schedule;
  std::int64_t images = 0;
  std::int64_t held_out = 0;
  std::int64_t evaluation_batch = 0;
  std::uint64_t seed = 0;
  int channels = 0;
  int cells = 0;
  int side = 224;
  double unreadable = 0.01;
  int threads = 0;
  bool auxiliary = true;
  bool quiet = false;
  support::keeper_flags keeper;
  cn::train_options given;  ///< what flags set; the recipe has the rest
};

/// What is trained on, and what is measured on.
struct image_source {
  cn::training_set train;
  std::int64_t held_out = 0;  ///< images
  std::function<cn::batch_source(std::int64_t batch_size, at::Device device)> evaluation;
  int image_channels = 3;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::string digest;  ///< of the images: of their bytes in memory, of their names in files
  std::shared_ptr<support::unreadable_list> unreadable;  ///< of images in files
};

cn::labelled_images first(const cn::labelled_images& all, std::int64_t wanted) {
  return wanted == 0 || wanted >= all.size() ? all : all.head(wanted);
}

support::image_splits load_splits(const train_flags& flags) {
  if (flags.dataset == "fashion-mnist")
    return support::load_fashion_mnist(flags.data.empty() ? support::fashion_mnist_folder
                                                          : flags.data.c_str());
  if (flags.data.empty())
    throw support::usage_error("--data is needed with " + flags.dataset + ": the folder of its files.");
  if (flags.dataset == "mnist") return support::load_mnist(flags.data);
  if (flags.dataset == "cifar-100") return support::load_cifar100(flags.data);
  return support::load_cifar10(flags.data);
}

/// DIR/train and DIR/val, one folder per class in each.
image_source load_folder(const train_flags& flags) {
  if (flags.data.empty()) {
    throw support::usage_error(
        "--data is needed with folder: the folder that holds train and val, each with one folder per class.");
  }
  const std::filesystem::path root = flags.data;
  image_source source;
  // Links are told while listing, where the number of images is not known yet.
  support::unreadable_list links(std::numeric_limits<std::int64_t>::max());
  const auto train = support::list_images(root / "train", links).some(flags.images);
  const auto held_out = support::list_images(root / "val", links, train.classes).some(flags.held_out);
  source.unreadable = std::make_shared<support::unreadable_list>(
      static_cast<std::int64_t>(flags.unreadable * double(train.size() + held_out.size())));
  for (const auto& [file, why] : links.files()) source.unreadable->add(file, why);
  const auto seen = [&](const support::image_files& files) {
    return std::make_shared<const support::folder_images>(files, cn::window_options{.side = flags.side},
                                                          source.unreadable);
  };
  source.train = support::training_set_of(seen(train));
  source.held_out = held_out.size();
  cn::sha256 names;
  for (const auto* part : {&train, &held_out}) {
    for (const auto& file : part->files) names.add(file.lexically_relative(root).string() + '\n');
  }
  source.digest = names.hex();
  source.evaluation = [images = seen(held_out)](std::int64_t batch_size, at::Device device) {
    return support::evaluation_source_of(images, {.batch_size = batch_size, .device = device});
  };
  source.height = source.width = flags.side;
  return source;
}

image_source load_images(const train_flags& flags) {
  if (flags.dataset == "folder") return load_folder(flags);
  const auto splits = load_splits(flags);
  const auto train = first(splits.train, flags.images);
  image_source source;
  source.train = cn::training_set_of(train);
  const auto held_out = first(splits.held_out, flags.held_out);
  source.held_out = held_out.size();
  source.digest = cn::data_digest(train) + cn::data_digest(held_out);
  source.evaluation = [held_out](std::int64_t batch_size, at::Device device) -> cn::batch_source {
    return cn::sequential_batches(held_out, {.batch_size = batch_size, .device = device});
  };
  source.image_channels = static_cast<int>(train.images().size(1));
  source.height = train.images().size(2);
  source.width = train.images().size(3);
  return source;
}

const std::vector<std::string> recipe_names{"cifar", "imagenet", "nas_bench_201"};

cn::train_options recipe_of(const std::string& name) {
  if (name == "imagenet") return cn::presets::imagenet_recipe();
  return name == "nas_bench_201" ? cn::presets::nas_bench_201_recipe() : cn::presets::cifar_recipe();
}

cn::derived_options network_of(const std::string& name, int classes) {
  if (name == "imagenet") return cn::presets::imagenet_network(classes);
  return name == "nas_bench_201" ? cn::presets::nas_bench_201_network(classes)
                                 : cn::presets::cifar_network(classes);
}

/// Tries what the run begins with on a network of its own, so that what cannot work is found at once, and is the caller's mistake.
void check_run(const cn::genotype& found, const cn::derived_options& network,
               const cn::train_options& options, const image_source& source) {
  support::or_usage_error([&] {
    cn::any_derived_network net(found, network);
    cn::trainer training(net, options);
    training.run(source.train);
    at::NoGradGuard no_grad;
    net.train();
    net.forward(at::zeros({2, source.image_channels, source.height, source.width}, network.device));
  });
}

class metrics_file {
 public:
  /// `goes_on`: the rows of earlier epochs are in the file.
  metrics_file(const std::filesystem::path& path, bool goes_on)
      : writer_(path,
                {"epoch", "rate", "drop_path", "train_loss", "train_accuracy", "held_out_loss",
                 "held_out_top1", "held_out_top5", "seconds"},
                goes_on) {}
  void add(const cn::train_report& r, const cn::evaluation& e) {
    writer_.row(
        {fmt::format("{}", r.epoch), fmt::format("{:.6g}", r.rate), fmt::format("{:.4g}", r.drop_path),
         fmt::format("{:.6g}", r.loss), fmt::format("{:.4g}", r.accuracy), fmt::format("{:.6g}", e.loss),
         fmt::format("{:.4g}", e.top1), fmt::format("{:.4g}", e.top5), fmt::format("{:.3f}", r.seconds)});
  }

 private:
  support::csv_writer writer_;
};

void run(const train_flags& flags, const CLI::App& app) {
  support::check_output_folder(flags.out);
  const cn::genotype found = support::find_genotype(flags.genotype);
  cn::train_options options = flags.given;
  options.seed = flags.seed;
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const auto source = support::or_usage_error([&] { return load_images(flags); });
  const std::string skeleton = flags.network.empty() ? flags.recipe : flags.network;
  cn::derived_options network = network_of(skeleton, static_cast<int>(source.train.classes));
  network.image_channels = source.image_channels;
  network.seed = flags.seed;
  network.device = support::parse_device(flags.device);
  if (app.count("--channels") > 0) network.channels = flags.channels;
  if (app.count("--cells") > 0) network.cells = flags.cells;
  if (app.count("--auxiliary") > 0) network.auxiliary = flags.auxiliary;
  check_run(found, network, options, source);

  cn::any_derived_network net(found, network);
  const std::int64_t steps = (source.train.size + options.batch_size - 1) / options.batch_size;
  fmt::print("{} network: C = {}, {} cells{}, {} weights{}; {} on {}\n", skeleton, network.channels,
             network.cells, skeleton == "nas_bench_201" ? " a stage" : "", net.weight_count(),
             network.auxiliary ? " and an auxiliary head" : "", flags.genotype, flags.dataset);
  fmt::print(
      "{} recipe: {} epochs of {} images ({} x {}), batch {}; {} held-out images; SGD {} to {} ({}{}), seed "
      "{}\n",
      flags.recipe, options.epochs, source.train.size, source.height, source.width, options.batch_size,
      source.held_out, options.rate, options.last_rate,
      options.schedule == cn::rate_schedule::cosine ? "cosine" : "linear",
      options.warmup_epochs > 0 ? fmt::format(", {} epochs of warm-up", options.warmup_epochs) : "",
      flags.seed);
  std::fflush(stdout);

  const std::filesystem::path out = flags.out;
  cn::text_pairs configuration{{"genotype", cn::to_text(found)},
                               {"network", skeleton},
                               {"channels", std::to_string(network.channels)},
                               {"cells", std::to_string(network.cells)},
                               {"auxiliary", network.auxiliary ? "yes" : "no"},
                               {"dataset", flags.dataset},
                               {"images", std::to_string(source.train.size)},
                               {"held_out_images", std::to_string(source.held_out)},
                               {"side", std::to_string(source.height) + " x " + std::to_string(source.width)},
                               {"data", source.digest},
                               {"seed", std::to_string(flags.seed)},
                               {"device", flags.device}};
  support::add_settings(configuration, support::train_options_json(support::without_lost_policy(options)));
  support::run_keeper keeper(
      out, flags.keeper,
      {.configuration = std::move(configuration), .outputs = {"metrics.csv"}, .device = flags.device});
  support::progress bar("training", options.epochs * steps, flags.quiet);
  options.on_step = [&](const cn::step_progress& p) {
    bar.update((p.epoch - 1) * steps + p.step);
    keeper.after_step();
  };
  options.stop = [&] { return keeper.stop(); };
  cn::trainer training(net, options);
  const std::int64_t evaluation_batch =
      flags.evaluation_batch > 0 ? flags.evaluation_batch : options.batch_size;
  cn::train_report last;
  cn::evaluation measured;
  double seconds = 0.0;
  const auto state = [&] {
    cn::named_state all = training.state();
    all.add("last.loss", last.loss);
    all.add("last.accuracy", last.accuracy);
    all.add("measured.top1", measured.top1);
    all.add("measured.top5", measured.top5);
    all.add("measured.loss", measured.loss);
    all.add("seconds", seconds);
    return all;
  };
  std::optional<metrics_file> metrics;
  keeper.on_begin([&](bool goes_on) { metrics.emplace(out / "metrics.csv", goes_on); });
  keeper.keep([&] {
    keeper.begin(state, [&] { return training.position_text(); });
    for (const auto& epoch : training.run(source.train)) {
      measured = cn::evaluate(net, source.evaluation(evaluation_batch, network.device), options.numbers,
                              options.workers);
      metrics->add(epoch, measured);
      last = epoch;
      seconds += epoch.seconds;
      bar.update(epoch.epoch * steps, fmt::format("loss {:.3f}, top-1 {:.1f} %", epoch.loss, measured.top1));
      keeper.after_epoch(epoch.epoch);
    }
    if (training.stopped()) keeper.end_early();
    bar.finish();
    nlohmann::json unreadable = nlohmann::json::object();
    if (source.unreadable) {
      for (const auto& [file, why] : source.unreadable->files()) {
        unreadable[file] = why;
        std::fprintf(stderr, "train: '%s' cannot be read: %s\n", file.c_str(),
                     why.c_str());  // which does not throw
      }
    }

    cn::save_state(cn::published_state(net), out / "weights.safetensors", {{"genotype", cn::to_text(found)}});
    const nlohmann::json summary{
        {"genotype", cn::to_text(found)},
        {"network",
         {{"skeleton", skeleton},
          {"channels", network.channels},
          {"cells", network.cells},
          {"classes", network.classes},
          {"auxiliary", network.auxiliary},
          {"weights", net.weight_count()}}},
        {"recipe", flags.recipe},
        {"options", support::train_options_json(options)},
        {"dataset", flags.dataset},
        {"training_images", source.train.size},
        {"held_out_images", source.held_out},
        {"seed", flags.seed},
        {"device", flags.device},
        {"libtorch", TORCH_VERSION},
        {"train_loss", last.loss},
        {"train_accuracy", last.accuracy},
        {"held_out", {{"top1", measured.top1}, {"top5", measured.top5}, {"loss", measured.loss}}},
        {"unreadable_images", unreadable},
        {"seconds", seconds}};
    support::write_file(out / "summary.json", summary.dump(2) + "\n");
    keeper.done();
    fmt::print("\nheld-out images: top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f}\n", measured.top1,
               measured.top5, measured.loss);
    fmt::print("{:.1f} s of training; weights, metrics, summary: {}\n", seconds,
               std::filesystem::absolute(out).lexically_normal().string());
  });
}

/// The recipe is the default of the flags that follow it, so it is looked up first.
std::string recipe_in(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--recipe" && i + 1 < argc) return argv[i + 1];
    if (word.starts_with("--recipe=")) return word.substr(9);
  }
  return "cifar";
}

}  // namespace

int main(int argc, char** argv) {
  train_flags flags;
  flags.given = recipe_of(recipe_in(argc, argv));
  cn::train_options& o = flags.given;
  bool nchw = false;
  flags.schedule = o.schedule == cn::rate_schedule::cosine ? "cosine" : "linear";
  CLI::App app{"Trains the network of a genotype from scratch and measures it."};
  app.option_defaults()->always_capture_default();
  app.add_option("--genotype", flags.genotype, "name of a known one, number, text or file")->required();
  app.add_option("--recipe", flags.recipe, "whose settings are the defaults below")
      ->check(support::one_of(recipe_names));
  app.add_option("--network", flags.network, "what the cells stand in; without it: as the recipe")
      ->check(support::one_of(recipe_names));
  app.add_option("--dataset", flags.dataset, "images")
      ->required()
      ->check(support::one_of({"fashion-mnist", "mnist", "cifar-10", "cifar-100", "folder"}));
  app.add_option("--data", flags.data, "folder of the images");
  app.add_option("--images", flags.images, "training images; 0: all")->check(support::not_negative());
  app.add_option("--held-out", flags.held_out, "held-out images; 0: all")->check(support::not_negative());
  app.add_option("--side", flags.side, "side of the square that the network sees (folder)")
      ->check(support::between(32, 4096));
  app.add_option("--unreadable", flags.unreadable, "share of the images that may be unreadable (folder)")
      ->check(support::between(0, 1));
  app.add_option("--out", flags.out, "folder for the results");
  app.add_option("--device", flags.device, "cpu, cuda or cuda:N");
  app.add_option("--threads", flags.threads, "CPU threads; 0: as LibTorch chooses")
      ->check(support::between(0, 1024));
  app.add_option("--workers", o.workers, "threads that make batches ahead; results do not depend on them")
      ->check(support::between(0, 256));
  app.add_option("--seed", flags.seed, "of initial values, shuffles, augmentation and dropped paths")
      ->check(support::not_negative());
  app.add_option("--channels", flags.channels, "channels C of the first cells; without it: as published")
      ->check(support::between(1, 65536));
  app.add_option("--cells", flags.cells, "cells (nas_bench_201: of each stage); without it: as published")
      ->check(support::between(1, 1000));
  app.add_flag("--auxiliary,!--no-auxiliary", flags.auxiliary,
               "a network with, or without, the auxiliary head; without this flag: as published");
  app.add_option("--epochs", o.epochs, "epochs")->check(support::between(1, 100000));
  app.add_option("--batch", o.batch_size, "images in a batch")->check(support::between(2, 1000000));
  app.add_option("--evaluation-batch", flags.evaluation_batch,
                 "images in a batch of the evaluation; 0: as --batch")
      ->check(support::between(0, 1000000));
  app.add_option("--rate", o.rate, "rate at the start")->check(support::not_negative());
  app.add_option("--last-rate", o.last_rate, "rate at the end")->check(support::not_negative());
  app.add_option("--schedule", flags.schedule, "how the rate falls")
      ->check(support::one_of({"cosine", "linear"}));
  app.add_option("--warmup-epochs", o.warmup_epochs, "epochs in which the rate grows")
      ->check(support::not_negative());
  app.add_option("--momentum", o.momentum, "of SGD")->check(support::not_negative());
  app.add_option("--weight-decay", o.weight_decay, "of SGD")->check(support::not_negative());
  app.add_option("--clip", o.clip, "largest norm of the gradient; 0: any")->check(support::not_negative());
  app.add_option("--label-smoothing", o.label_smoothing, "share of the target that all classes get alike")
      ->check(support::not_negative());
  app.add_option("--auxiliary-weight", o.auxiliary_weight, "of the auxiliary head's loss")
      ->check(support::not_negative());
  app.add_option("--drop-path", o.drop_path, "probability that the epochs grow towards")
      ->check(support::not_negative());
  app.add_option("--crop-padding", o.augment.crop_padding, "random crop out of this much padding")
      ->check(support::not_negative());
  app.add_option("--cutout", o.augment.cutout, "side of the square that is blanked; 0: none")
      ->check(support::not_negative());
  app.add_flag("!--no-flip", o.augment.flip, "do not mirror images");
  app.add_option("--numbers", flags.numbers, "full, or products in bfloat16")
      ->check(support::one_of({"full", "bfloat16"}));
  app.add_flag("--channels-first", nchw, "the slower layout");
  app.add_flag("--quiet", flags.quiet, "no progress");
  support::add_lost_flags(app, o);
  support::add_keeper_flags(app, flags.keeper);
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  o.schedule = flags.schedule == "cosine" ? cn::rate_schedule::cosine : cn::rate_schedule::linear;
  o.numbers = flags.numbers == "full" ? cn::precision::full : cn::precision::bfloat16;
  o.channels_last = !nchw;
  return support::guarded("train", [&] { run(flags, app); });
}
