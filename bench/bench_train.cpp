// How long does one training step of a derived network take, and how long does a photograph take to become part of a batch, beside a bare
// loop of libjpeg-turbo over the same files? One JSON line each.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <crispnas/data/file.hpp>
#include <crispnas/train/trainer.hpp>
#include <ctime>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/bare_jpeg.hpp"
#include "support/cli.hpp"
#include "support/find_genotype.hpp"
#include "support/image_folder.hpp"

namespace {

namespace cn = crispnas;

double processor_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }
double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct bench_options {
  std::string genotype = "darts_v2";
  int threads = 1;
  int channels = 36;
  int cells = 20;
  std::int64_t batch = 16;
  int steps = 3;
  bool channels_first = false;
  std::string images;
  int side = 224;
};

void time_steps(const bench_options& o) {
  cn::derived_options network = cn::presets::cifar_network();
  network.channels = o.channels;
  network.cells = o.cells;
  cn::any_derived_network net(support::find_genotype(o.genotype), network);
  cn::train_options options;
  options.channels_last = !o.channels_first;
  cn::trainer training(net, options);
  const auto images = at::randn({o.batch, 3, 32, 32});
  const auto labels = at::randint(10, {o.batch}, at::kLong);
  std::vector<double> wall;
  std::vector<double> processor;
  for (int step = 0; step <= o.steps; ++step) {
    const double from = seconds_now();
    const double worked = processor_seconds();
    cn::train_step(net, training.optimizer(), options, {images, labels}).loss.item<double>();
    if (step == 0) continue;  // touches the memory for the first time
    wall.push_back(seconds_now() - from);
    processor.push_back(processor_seconds() - worked);
  }
  std::sort(wall.begin(), wall.end());
  std::sort(processor.begin(), processor.end());
  const nlohmann::json line{{"what", "training step"},
                            {"genotype", o.genotype},
                            {"channels", o.channels},
                            {"cells", o.cells},
                            {"batch", o.batch},
                            {"threads", at::get_num_threads()},
                            {"channels_last", options.channels_last},
                            {"median_s", wall[wall.size() / 2]},
                            {"minimum_s", wall.front()},
                            {"minimum_processor_s", processor.front()}};
  fmt::print("{}\n", line.dump());
}

void time_images(const bench_options& o) {
  const auto unreadable = std::make_shared<support::unreadable_list>(0);
  const auto files = support::list_images(o.images, *unreadable);
  const auto images =
      std::make_shared<const support::folder_images>(files, cn::window_options{.side = o.side}, unreadable);
  const auto train = support::training_set_of(images).epoch({.batch_size = files.size()});
  const auto evaluation = support::evaluation_source_of(images, {.batch_size = files.size()});
  const auto each = [&](const auto& body) {
    for (const auto& path : files.files) body(cn::read_data_file(path, support::most_image_bytes));
  };
  double bare = 1e9, decoded = 1e9, training = 1e9, evaluated = 1e9;
  const auto timed = [](double& least, const auto& body) {
    const double from = processor_seconds();
    body();
    least = std::min(least, processor_seconds() - from);
  };
  for (int repeat = 0; repeat < 5; ++repeat) {  // in turns, so that what else runs disturbs all alike
    timed(bare, [&] { each(support::decode_bare); });
    timed(decoded, [&] {
      each([&](const std::vector<std::byte>& file) {
        support::jpeg_decoder decoder(file);
        decoder.decode({0, 0, double(decoder.width()), double(decoder.height())},
                       std::max(decoder.width(), decoder.height()));
      });
    });
    timed(training, [&] { train.make(0); });
    timed(evaluated, [&] { evaluation.make(0); });
  }
  const double per_image = 1e3 / double(files.size());
  const nlohmann::json line{{"what", "photographs"},
                            {"images", files.size()},
                            {"side", o.side},
                            {"bare_loop_ms", bare * per_image},
                            {"decoded_whole_ms", decoded * per_image},
                            {"training_ms", training * per_image},
                            {"evaluation_ms", evaluated * per_image},
                            {"decoded_to_bare", decoded / bare},
                            {"training_to_bare", training / bare},
                            {"evaluation_to_bare", evaluated / bare}};
  fmt::print("{}\n", line.dump());
}

}  // namespace

int main(int argc, char** argv) {
  bench_options o;
  CLI::App app{"Times a training step, or with --images the way from files to batches."};
  app.option_defaults()->always_capture_default();
  app.add_option("--genotype", o.genotype, "name, text or file");
  app.add_option("--threads", o.threads, "CPU threads")->check(support::between(1, 1024));
  app.add_option("--channels", o.channels, "channels C of the first cells")
      ->check(support::between(1, 65536));
  app.add_option("--cells", o.cells, "cells")->check(support::between(2, 1000));
  app.add_option("--batch", o.batch, "images in a batch")->check(support::between(2, 1000000));
  app.add_option("--steps", o.steps, "steps, after a first one that does not count")
      ->check(support::between(1, 100000));
  app.add_flag("--channels-first", o.channels_first, "the other layout");
  app.add_option("--images", o.images, "folder with one folder of JPEG files per class");
  app.add_option("--side", o.side, "side of the square that the network sees")
      ->check(support::between(1, 4096));
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("bench_train", [&] {
    at::set_num_threads(o.threads);
    if (o.images.empty()) {
      time_steps(o);
    } else {
      time_images(o);
    }
  });
}
