// Training from scratch: recipes, loss, steps, epochs, evaluation; batches made ahead by several threads.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <crispnas/data/file.hpp>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/train/trainer.hpp>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "doctest.hpp"
#include "files.hpp"
#include "support/bare_jpeg.hpp"
#include "support/datasets.hpp"
#include "support/image_folder.hpp"

namespace cn = crispnas;
using tests::message_of;

namespace {

// Images of two kinds, bright on the left or on the right, with noise: easy to tell apart.
cn::labelled_images easy(std::int64_t n, std::int64_t side = 16, std::int64_t channels = 3) {
  auto generator = at::detail::createCPUGenerator(3);
  auto images = torch::randint(0, 80, {n, channels, side, side}, generator, torch::kByte);
  auto labels = torch::arange(n, torch::kLong).remainder(2);
  for (std::int64_t i = 0; i < n; ++i) images[i].narrow(2, i % 2 == 0 ? 0 : side / 2, side / 2).add_(150);
  return {images, labels, 2};
}

constexpr auto small_cell = cn::parse_genotype(
    "Genotype(normal=[0->2 sep_conv_3x3, 1->2 skip_connect, 1->3 dil_conv_3x3, 2->3 max_pool_3x3], "
    "normal_concat=[2, 3])");

cn::derived_options small_network(int classes = 2) { return {.channels = 4, .cells = 3, .classes = classes}; }

cn::train_options quick(int epochs = 3) {
  cn::train_options options;
  options.epochs = epochs;
  options.batch_size = 8;
  options.rate = 0.05;
  options.augment = cn::normalize_only;
  return options;
}

std::vector<at::Tensor> copies(cn::any_derived_network& net) {
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : cn::published_state(net)) values.push_back(value.detach().clone());
  return values;
}

bool same(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  bool all = a.size() == b.size();
  for (std::size_t i = 0; all && i < a.size(); ++i) all = at::equal(a[i], b[i]);
  return all;
}

}  // namespace

TEST_CASE("recipes: DARTS's for CIFAR, the paper's for ImageNet, NAS-Bench-201's") {
  const auto cifar = cn::presets::cifar_recipe();
  CHECK(cifar.epochs == 600);
  CHECK(cifar.batch_size == 96);
  CHECK(cifar.momentum == 0.9);
  CHECK(cifar.weight_decay == 3e-4);
  CHECK(cifar.clip == 5.0);
  CHECK(cifar.augment.cutout == 16);
  CHECK(cifar.augment.crop_padding == 4);
  CHECK(cifar.drop_path == 0.2);
  CHECK(cifar.auxiliary_weight == 0.4);
  CHECK(cifar.label_smoothing == 0.0);
  CHECK(cn::rate_of_epoch(cifar, 1) == 0.025);
  CHECK(cn::rate_of_epoch(cifar, 301) == doctest::Approx(0.0125));
  CHECK(cn::rate_of_epoch(cifar, 600) < 1e-6);

  const auto imagenet = cn::presets::imagenet_recipe();
  CHECK(imagenet.epochs == 250);
  CHECK(imagenet.batch_size == 1024);
  CHECK(imagenet.weight_decay == 3e-5);
  CHECK(imagenet.label_smoothing == 0.1);
  CHECK(imagenet.auxiliary_weight == 0.4);
  CHECK(imagenet.drop_path == 0.0);
  for (int epoch = 1; epoch <= 5; ++epoch)
    CHECK(cn::rate_of_epoch(imagenet, epoch) == doctest::Approx(0.1 * epoch));
  CHECK(cn::rate_of_epoch(imagenet, 6) == doctest::Approx(0.5));
  CHECK(cn::rate_of_epoch(imagenet, 128) == doctest::Approx(0.5 * 123 / 245));
  CHECK(cn::rate_of_epoch(imagenet, 250) == doctest::Approx(0.5 / 245));

  const auto table = cn::presets::nas_bench_201_recipe();
  CHECK(table.epochs == 200);
  CHECK(table.batch_size == 256);
  CHECK(table.nesterov);
  CHECK(table.weight_decay == 5e-4);
  CHECK(cn::rate_of_epoch(table, 101) == doctest::Approx(0.05));
}

TEST_CASE("loss: label smoothing as published, auxiliary head by its weight") {
  const auto logits = torch::randn({5, 4}, at::detail::createCPUGenerator(1), torch::kDouble);
  const auto other = torch::randn({5, 4}, at::detail::createCPUGenerator(2), torch::kDouble);
  const auto labels = torch::tensor({0, 3, 1, 2, 0}, torch::kLong);
  // Szegedy et al.: targets (1 - e) onehot + e / classes.
  const auto by_hand = [&](const at::Tensor& l, double e) {
    const auto targets = (1 - e) * at::one_hot(labels, 4).to(torch::kDouble) + e / 4;
    return (-targets * at::log_softmax(l, 1)).mean(0).sum().item<double>();
  };
  cn::train_options options;
  options.label_smoothing = 0.1;
  CHECK(cn::training_loss({logits, at::Tensor()}, labels, options).item<double>() ==
        doctest::Approx(by_hand(logits, 0.1)).epsilon(1e-12));
  CHECK(cn::training_loss({logits, other}, labels, options).item<double>() ==
        doctest::Approx(by_hand(logits, 0.1) + 0.4 * by_hand(other, 0.1)).epsilon(1e-12));
  options.label_smoothing = 0.0;
  options.auxiliary_weight = 0.0;
  CHECK(cn::training_loss({logits, other}, labels, options).item<double>() ==
        doctest::Approx(by_hand(logits, 0.0)).epsilon(1e-12));
}

TEST_CASE("Nesterov's momentum: the look ahead of its definition") {
  const auto w = torch::tensor({1.0, -2.0}, torch::kDouble);
  auto expected = w.clone();
  auto velocity = at::zeros_like(w);
  cn::sgd optimizer({w}, {.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
  for (int i = 0; i < 3; ++i) {
    const auto gradient = torch::tensor({0.5, 1.0 * i}, torch::kDouble);
    const auto g = gradient + 0.01 * expected;
    velocity = 0.9 * velocity + g;
    expected = expected - 0.1 * (g + 0.9 * velocity);
    optimizer.step({gradient.clone()});
    CHECK(at::allclose(w, expected, 0.0, 1e-14));
  }
}

TEST_CASE(
    "a training: rates and drop path of each epoch, progress, loss falls, evaluation agrees with the "
    "logits") {
  const auto data = easy(30);
  cn::any_derived_network net(small_cell, small_network());
  auto options = quick(10);  // 40 steps, which the running statistics need
  std::vector<std::int64_t> steps;
  options.on_step = [&](const cn::step_progress& p) {
    steps.push_back(100 * p.epoch + 10 * p.steps + p.step);
  };
  cn::trainer training(net, options);
  std::vector<cn::train_report> reports;
  for (const auto& epoch : training.run(data)) reports.push_back(epoch);
  REQUIRE(reports.size() == 10);
  std::vector<std::int64_t> all_steps;
  for (int epoch = 1; epoch <= 10; ++epoch) {
    for (int step = 1; step <= 4; ++step) all_steps.push_back(100 * epoch + 10 * 4 + step);
  }
  CHECK(steps == all_steps);
  for (int e = 1; e <= 10; ++e) {
    const auto& r = reports[static_cast<std::size_t>(e - 1)];
    CHECK(r.epoch == e);
    CHECK(r.images == 30);  // the last batch has 6
    CHECK(r.rate == cn::rate_of_epoch(options, e));
    CHECK(r.drop_path == doctest::Approx(0.2 * (e - 1) / 10));
  }
  CHECK(reports.back().loss < 0.5 * reports.front().loss);

  const auto held_out = cn::sequential_batches(easy(30), {.batch_size = 7});
  net.train();
  const auto measured = cn::evaluate(net, held_out);
  CHECK(net.is_training());
  CHECK(measured.images == 30);
  CHECK(measured.top1 > 90.0);
  CHECK(measured.top5 == 100.0);
  CHECK(cn::evaluate(net, cn::sequential_batches(easy(123))).top5 ==
        100.0);  // 123 * (1 / 123) is more than 1
  at::NoGradGuard no_grad;
  net.eval();
  double right = 0;
  double loss = 0;
  for (const auto& b : held_out) {
    const auto logits = net.forward(b.images).logits;
    right += (logits.argmax(1) == b.labels).sum().item<double>();
    loss += at::cross_entropy_loss(logits, b.labels).item<double>() * double(b.labels.size(0));
  }
  CHECK(measured.top1 == doctest::Approx(100.0 * right / 30));
  CHECK(measured.loss == doctest::Approx(loss / 30).epsilon(1e-5));
}

TEST_CASE("top-5 counts what is among the five largest logits") {
  // Whatever the image, class 0 has the largest logit, class 1 the next, and so on.
  cn::any_derived_network net(small_cell, small_network(8));
  at::NoGradGuard no_grad;
  for (auto& p : net.named_parameters()) {
    if (p.key() == "classifier.weight") p.value().zero_();
    if (p.key() == "classifier.bias") p.value().copy_(torch::tensor({7., 6., 5., 4., 3., 2., 1., 0.}));
  }
  auto images = torch::zeros({16, 3, 16, 16}, torch::kByte);
  const cn::labelled_images data(images, torch::arange(16, torch::kLong).remainder(8), 8,
                                 {{0, 0, 0}, {1, 1, 1}});
  const auto measured = cn::evaluate(net, cn::sequential_batches(data, {.batch_size = 5}));
  CHECK(measured.top1 == doctest::Approx(100.0 / 8));
  CHECK(measured.top5 == doctest::Approx(500.0 / 8));
  CHECK_SAYS(message_of([&] {
               cn::evaluate(net, cn::batch_source{0, {}});
             }),
             "there is no image to measure by");
}

TEST_CASE(
    "a training depends on its seed and LibTorch's threads: not on workers, and it can go on where it was") {
  const auto data = easy(24);
  auto options = quick(3);
  options.augment = {.crop_padding = 2, .flip = true, .cutout = 4};
  options.drop_path = 0.5;
  const auto train = [&](const cn::train_options& o, std::uint64_t seed) {
    auto network = small_network();
    network.seed = seed;
    cn::any_derived_network net(small_cell, network);
    cn::trainer training(net, o);
    for (const auto& epoch : training.run(data)) CHECK(std::isfinite(epoch.loss));
    return copies(net);
  };
  const auto expected = train(options, 1);
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    options.workers = 1;
    const auto at_these = train(options, 1);
    for (const int workers : {0, 1, 2, 4}) {
      CAPTURE(threads);
      CAPTURE(workers);
      options.workers = workers;
      CHECK(same(train(options, 1), at_these));
    }
  }
  at::set_num_threads(before);
  CHECK_FALSE(same(train(options, 2), expected));

  // One epoch, then network and momentum carried by name to others, which go on.
  const tests::temporary_folder folder;
  auto network = small_network();
  network.seed = 1;
  {
    cn::any_derived_network net(small_cell, network);
    cn::trainer training(net, options);
    training.run_epoch(cn::training_set_of(data), 1);
    cn::save_state(cn::published_state(net), folder.path() / "net.safetensors");
    cn::save_state(training.momentum(), folder.path() / "momentum.safetensors");
  }
  network.seed = 1;  // also of the dropped paths
  cn::any_derived_network resumed(small_cell, network);
  {
    at::NoGradGuard no_grad;
    for (auto& p : resumed.parameters()) p.fill_(0.5);
  }
  cn::trainer training(resumed, options);
  cn::load_state(cn::published_state(resumed), folder.path() / "net.safetensors");
  cn::load_state(training.momentum(), folder.path() / "momentum.safetensors");
  for (const auto& epoch : training.run(data, 2)) CHECK(epoch.epoch >= 2);
  CHECK(same(copies(resumed), expected));
}

TEST_CASE("channels last: the same training up to rounding, the same names and shapes") {
  const auto data = easy(16);
  auto options = quick(1);
  std::vector<std::vector<at::Tensor>> results;
  for (const bool last : {false, true}) {
    auto network = small_network();
    network.dtype = at::kDouble;
    cn::any_derived_network net(small_cell, network);
    options.channels_last = last;
    cn::trainer training(net, options);
    CHECK(net.channels_last() == last);
    for (const auto& epoch : training.run(data)) CHECK(epoch.epoch == 1);
    results.push_back(copies(net));
  }
  REQUIRE(results[0].size() == results[1].size());
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    CHECK(results[0][i].sizes() == results[1][i].sizes());
    CHECK(at::allclose(results[0][i], results[1][i], 1e-8, 1e-9));
  }
}

TEST_CASE("a 1x1 convolution of stride 2 is the same with channels last, gradients included") {
  const auto generator = at::detail::createCPUGenerator(5);
  cn::nn::conv2d conv({generator, at::kCPU, at::kDouble}, cn::nn::conv_shape{4, 8, 1, 2});
  const auto x = torch::randn({3, 4, 9, 8}, generator, torch::kDouble);
  const auto run = [&](const at::Tensor& image) {
    const auto in = image.detach().requires_grad_();
    const auto y = conv.forward(in.slice(2, 1));  // as the second half of a factorized reduction
    auto results = torch::autograd::grad({y.pow(3).sum()}, {in, conv.weight()});
    results.push_back(y.detach());
    return results;
  };
  const auto rows = run(x);
  const auto last = run(x.contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(rows[2].sizes() == at::IntArrayRef{3, 8, 4, 4});
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(at::allclose(rows[i], last[i], 1e-12, 1e-12));
}

TEST_CASE("bfloat16 by autocast on the CPU: trains, parameters stay float32, autocast is off afterwards") {
  const auto data = easy(32);
  cn::any_derived_network net(small_cell, small_network());
  auto options = quick(4);
  options.numbers = cn::precision::bfloat16;
  cn::trainer training(net, options);
  double first = 0.0;
  double last = 0.0;
  for (const auto& epoch : training.run(data)) (epoch.epoch == 1 ? first : last) = epoch.loss;
  CHECK(last < 0.6 * first);
  CHECK_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  for (const auto& p : net.parameters()) CHECK((p.scalar_type() == at::kFloat));
  {
    const cn::autocast_guard cast(cn::precision::bfloat16, at::kCPU);
    CHECK((net.forward(torch::zeros({2, 3, 16, 16})).logits.scalar_type() == at::kBFloat16));
  }
  CHECK(cn::evaluate(net, cn::sequential_batches(data), cn::precision::bfloat16).top1 > 80.0);
}

TEST_CASE("a number that is lost stops the training: step, rate, first bad parameter") {
  const auto data = easy(64);
  cn::any_derived_network net(small_cell, small_network());
  auto options = quick(1);
  options.rate = 1e30;
  options.clip = 0.0;
  int steps = 0;
  options.on_step = [&](const cn::step_progress&) { ++steps; };
  cn::trainer training(net, options);
  const auto message = message_of([&] {
    for (const auto& epoch : training.run(data)) CHECK(epoch.epoch == 0);
  });
  CHECK_SAYS(message, "a number was lost in epoch 1, step ");
  CHECK_SAYS(message, "Rate 1e+30");
  CHECK_SAYS(message, "first parameter with a NaN or infinity: ");
  CHECK(steps < 8);
}

TEST_CASE("options that cannot work are refused in words") {
  cn::any_derived_network net(small_cell, small_network());
  const auto refused = [&](auto change) {
    auto options = quick();
    change(options);
    return message_of([&] { cn::trainer(net, options); });
  };
  CHECK_SAYS(refused([](auto& o) { o.epochs = 0; }), "epochs = 0");
  CHECK_SAYS(refused([](auto& o) { o.batch_size = 1; }), "batch norm needs at least 2");
  CHECK_SAYS(refused([](auto& o) { o.warmup_epochs = 3; }), "up to, not including, the 3 epochs");
  CHECK_SAYS(refused([](auto& o) { o.rate = -1; }), "rate = -1");
  CHECK_SAYS(refused([](auto& o) { o.last_rate = NAN; }), "last_rate = nan");
  CHECK_SAYS(refused([](auto& o) { o.momentum = 1; }), "momentum = 1");
  CHECK_SAYS(refused([](auto& o) { o.label_smoothing = 1; }), "label_smoothing = 1");
  CHECK_SAYS(refused([](auto& o) { o.drop_path = 1; }), "drop_path = 1");
  CHECK_SAYS(refused([](auto& o) { o.auxiliary_weight = -0.1; }), "auxiliary_weight = -0.1");
  CHECK_SAYS(refused([](auto& o) { o.workers = -1; }), "workers = -1");
  CHECK_SAYS(refused([](auto& o) { o.lost_limit = -1; }), "lost_limit = -1");
  CHECK_SAYS(refused([](auto& o) { o.augment.cutout = -1; }), "cutout = -1");
  CHECK_SAYS(refused([](auto& o) { o.momentum = 0, o.nesterov = true; }), "Nesterov");

  auto doubles = small_network();
  doubles.dtype = at::kDouble;
  cn::any_derived_network wide(small_cell, doubles);
  auto options = quick();
  options.numbers = cn::precision::bfloat16;
  CHECK_SAYS(message_of([&] { cn::trainer(wide, options); }), "bfloat16 needs a network of float32");

  cn::trainer training(net, quick());
  const cn::labelled_images three(torch::zeros({6, 3, 16, 16}, torch::kByte),
                                  torch::arange(6, torch::kLong).remainder(3), 3);
  CHECK_SAYS(message_of([&] { training.run(three); }), "the images have 3 classes, the network 2");
  CHECK_SAYS(message_of([&] { training.run(easy(2).head(1)); }), "give at least 2");
  CHECK_SAYS(message_of([&] { training.run(easy(4), 0); }), "epochs count from 1");
}

TEST_CASE("a last batch of a single image is left out") {
  cn::any_derived_network net(small_cell, small_network());
  cn::trainer training(net, quick(1));
  CHECK(training.run_epoch(cn::training_set_of(easy(17)), 1).images == 16);
  CHECK(training.run_epoch(cn::training_set_of(easy(18)), 1).images == 18);
  CHECK(training.run_epoch(cn::training_set_of(easy(5)), 1).images == 5);
}

TEST_CASE("dropped paths depend on seed, epoch, step and path alone") {
  const auto x = torch::ones({64, 3, 1, 1}, torch::kDouble);
  cn::path_dropper a(7);
  cn::path_dropper b(7);
  for (auto* d : {&a, &b}) d->probability(0.5);
  a.begin_step(3, 11);
  std::vector<at::Tensor> paths;
  for (int i = 0; i < 70; ++i) paths.push_back(a(x));  // more than are drawn at once
  b.begin_step(1, 1);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(at::equal(b(x), paths[static_cast<std::size_t>(i)]));
  b.begin_step(3, 11);
  for (const auto& path : paths) CHECK(at::equal(b(x), path));
  CHECK_FALSE(at::equal(paths[0], paths[1]));
  CHECK(paths[0].sizes() == x.sizes());
  b.begin_step(3, 12);
  CHECK_FALSE(at::equal(b(x), paths[0]));
  b.begin_step(4, 11);
  CHECK_FALSE(at::equal(b(x), paths[0]));
}

TEST_CASE(
    "batches ahead: order and content do not depend on the number of threads, and what a thread throws is "
    "thrown") {
  const auto data = easy(40);
  const auto all = cn::epoch_batches(data, {.batch_size = 4, .seed = 5});
  for (const int workers : {0, 1, 2, 7, 30}) {
    CAPTURE(workers);
    cn::prefetched_batches ahead(all, workers);
    for (const auto& expected : all) {
      const auto got = ahead.next();
      REQUIRE(got.has_value());
      CHECK(at::equal(got->images, expected.images));
      CHECK(got->indices == expected.indices);
    }
    CHECK_FALSE(ahead.next().has_value());
  }
  // Never more than 2 * workers ahead of what was taken.
  std::atomic<std::int64_t> most{0};
  std::atomic<std::int64_t> taken{0};
  cn::batch_source slow(50, [&](std::int64_t i) {
    most = std::max<std::int64_t>(most.load(), i - taken.load());
    return all.batch(i % 10);
  });
  {
    cn::prefetched_batches ahead(slow, 3);
    while (ahead.next()) ++taken;
    CHECK(taken.load() == 50);
    CHECK(most.load() <= 6);
  }
  for (const int workers : {0, 1, 4}) {
    cn::batch_source broken(10, [&](std::int64_t i) {
      if (i == 3) throw cn::error("batch 3 is broken");
      return all.batch(i);
    });
    cn::prefetched_batches ahead(broken, workers);
    for (int i = 0; i < 3; ++i) CHECK(ahead.next().has_value());
    CHECK_SAYS(message_of([&] { ahead.next(); }), "batch 3 is broken");
    CHECK_FALSE(ahead.next().has_value());
  }
  CHECK_SAYS(message_of([&] { cn::prefetched_batches(all, -1); }), "below 0");
  const cn::prefetched_batches abandoned(all, 2);  // its threads end before it does
}

// Photographs: windows, resampling, colours, JPEG, class folders.
namespace {

std::string encode(const std::vector<std::uint8_t>& pixels, int width, int height, J_COLOR_SPACE space,
                   bool progressive = false, const std::function<void(jpeg_compress_struct&)>& adjust = {}) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &out, &size);
  state.image_width = static_cast<JDIMENSION>(width);
  state.image_height = static_cast<JDIMENSION>(height);
  state.input_components = space == JCS_GRAYSCALE ? 1 : space == JCS_CMYK ? 4 : 3;
  state.in_color_space = space;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 95, TRUE);
  if (progressive) jpeg_simple_progression(&state);
  if (adjust) adjust(state);
  jpeg_start_compress(&state, TRUE);
  const auto row = static_cast<std::size_t>(width * state.input_components);
  while (state.next_scanline < state.image_height) {
    auto* line = const_cast<JSAMPROW>(pixels.data() + row * state.next_scanline);
    jpeg_write_scanlines(&state, &line, 1);
  }
  jpeg_finish_compress(&state);
  std::string file(reinterpret_cast<char*>(out), size);
  jpeg_destroy_compress(&state);
  std::free(out);
  return file;
}

// A soft picture, different in every place and channel.
std::vector<std::uint8_t> soft_picture(int width, int height, int channels = 3) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        pixels.push_back(static_cast<std::uint8_t>(127.5 + 100 * std::sin(0.02 * (c + 1) * x + 0.5 * c) *
                                                               std::cos(0.015 * y + c)));
      }
    }
  }
  return pixels;
}

std::string picture(int width, int height) {
  return encode(soft_picture(width, height), width, height, JCS_RGB);
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string refused(const std::string& file, cn::image_window window = {0, 0, 8, 8}) {
  return message_of([&] { support::jpeg_decoder(bytes_of(file)).decode(window, 8); });
}

std::vector<float> square(const std::string& file, const cn::image_window& window, int side) {
  support::jpeg_decoder decoder(bytes_of(file));
  const auto image = decoder.decode(window, side);
  std::vector<float> out(static_cast<std::size_t>(3 * side * side));
  cn::resample(image.region(), image.scaled(window), side, false, out.data());
  return out;
}

double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double(a[i]) - double(b[i]));
  return sum / double(a.size());
}

}  // namespace

TEST_CASE(
    "windows: inside of the image, as large and as wide as they may be, the same for (seed, epoch, image)") {
  const cn::window_options options;
  double smallest = 1;
  double largest = 0;
  int flips = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto d = cn::draw_window(options, 500, 333, 7, 3, i);
    const auto& w = d.window;
    REQUIRE(w.x >= 0);
    REQUIRE(w.y >= 0);
    REQUIRE(w.x + w.width <= 500);
    REQUIRE(w.y + w.height <= 333);
    const double area = w.width * w.height / (500.0 * 333.0);
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    CHECK(w.width / w.height == doctest::Approx(1.0).epsilon(0.36));
    CHECK(d.brightness >= 0.6);
    CHECK(d.brightness <= 1.4);
    CHECK(std::abs(d.hue) <= 0.2);
    flips += d.flip;
  }
  CHECK(smallest > 0.075);
  CHECK(smallest < 0.1);
  CHECK(largest > 0.87);  // all of the height at a ratio of 4/3: 0.888
  CHECK(flips == doctest::Approx(1000).epsilon(0.1));
  const auto a = cn::draw_window(options, 500, 333, 7, 3, 11);
  const auto same_again = cn::draw_window(options, 500, 333, 7, 3, 11);
  CHECK(a.window.x == same_again.window.x);
  CHECK(a.hue == same_again.hue);
  CHECK(a.hue != cn::draw_window(options, 500, 333, 7, 4, 11).hue);
  CHECK(a.hue != cn::draw_window(options, 500, 333, 8, 3, 11).hue);
  const auto strip = cn::draw_window(options, 1000, 10, 7, 3, 11).window;  // no window of 8 % fits
  CHECK(strip.height == 10);
  CHECK(strip.width == 13);
  CHECK(strip.x == 493);
  const auto centre = cn::centre_window(512, 256);
  CHECK(centre.width == 224);
  CHECK(centre.x == 144);
  CHECK(centre.y == 16);
}

TEST_CASE(
    "resampling: itself at its own size, means when it shrinks, mirrored, nothing from outside of the "
    "window") {
  const int w = 40;
  const int h = 30;
  const auto pixels = soft_picture(w, h);
  const cn::pixel_region all{0, 0, w, h, pixels};
  std::vector<float> out(3 * 20 * 20);
  cn::resample(all, {5, 4, 20, 20}, 20, false, out.data());
  double worst = 0;
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 20; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double expected = pixels[static_cast<std::size_t>(3 * ((y + 4) * w + x + 5) + c)];
        worst =
            std::max(worst, std::abs(double(out[static_cast<std::size_t>(3 * (20 * y + x) + c)]) - expected));
      }
    }
  }
  CHECK(worst < 1e-3);
  std::vector<float> mirrored(out.size());
  cn::resample(all, {5, 4, 20, 20}, 20, true, mirrored.data());
  for (int x = 0; x < 20; ++x)
    CHECK(mirrored[static_cast<std::size_t>(3 * (19 - x))] == out[static_cast<std::size_t>(3 * x)]);

  // A white window in black: whatever the scale, it stays white.
  std::vector<std::uint8_t> framed(3 * 64 * 64, 0);
  for (int y = 16; y < 48; ++y) std::fill_n(framed.begin() + 3 * (64 * y + 16), 3 * 32, std::uint8_t{255});
  for (const int side : {1, 7, 32, 100}) {
    std::vector<float> white(static_cast<std::size_t>(3 * side * side));
    cn::resample({0, 0, 64, 64, framed}, {16, 16, 32, 32}, side, false, white.data());
    for (const float v : white) CHECK(v == doctest::Approx(255));
  }
  // A ramp shrinks to a ramp.
  std::vector<std::uint8_t> ramp;
  for (int i = 0; i < 3 * 240; ++i) ramp.push_back(static_cast<std::uint8_t>(i / 3));
  std::vector<float> few(3 * 24 * 24);
  cn::resample({0, 0, 240, 1, ramp}, {0, 0, 240, 1}, 24, false, few.data());
  for (std::size_t x = 2; x < 22; ++x)
    CHECK(few[3 * x] == doctest::Approx(10.0 * double(x) + 4.5).epsilon(1e-4));
}

TEST_CASE("colours: what each factor does, and in which order") {
  const auto moved = [](std::vector<float> pixels, cn::window_draw draw) {
    cn::move_colours(pixels, draw);
    return pixels;
  };
  const std::vector<float> two{200, 40, 10, 30, 60, 90};
  CHECK(moved(two, {}) == two);
  cn::window_draw draw;
  draw.brightness = 1.4;
  CHECK(moved(two, draw)[0] == 255);
  CHECK(moved(two, draw)[1] == doctest::Approx(56));
  draw = {};
  draw.saturation = 0;
  for (int c = 0; c < 3; ++c)
    CHECK(moved(two, draw)[static_cast<std::size_t>(c)] ==
          doctest::Approx(0.299 * 200 + 0.587 * 40 + 0.114 * 10));
  draw = {};
  draw.contrast = 0;
  const double mean = (0.299 * 230 + 0.587 * 100 + 0.114 * 100) / 2;
  for (const float v : moved(two, draw)) CHECK(v == doctest::Approx(mean));
  draw = {};
  draw.hue = 1.0 / 3;  // red becomes green, green blue
  const auto turned = moved(two, draw);
  CHECK(turned[0] == doctest::Approx(10));
  CHECK(turned[1] == doctest::Approx(200));
  CHECK(turned[2] == doctest::Approx(40));
  draw.hue = -1.0 / 6;  // red becomes magenta
  const auto magenta = moved({200, 0, 0}, draw);
  CHECK(magenta[0] == doctest::Approx(200));
  CHECK(magenta[1] == doctest::Approx(0));
  CHECK(magenta[2] == doctest::Approx(200));
  draw = {};
  draw.brightness = 2;
  draw.contrast = 0.5;
  const auto one_way = moved(two, draw);
  draw.order = {1, 0, 2, 3};
  CHECK(one_way != moved(two, draw));
}

TEST_CASE("JPEG: a window is what the whole image has there, at every scale") {
  const auto file = picture(640, 480);
  const cn::image_window all{0, 0, 640, 480};
  support::jpeg_decoder decoder(bytes_of(file));
  CHECK(decoder.width() == 640);
  CHECK(decoder.height() == 480);
  const auto whole = decoder.decode(all, 480);
  CHECK(whole.scale_x == 1);
  CHECK(whole.rgb.size() == 3 * 640 * 480);
  const auto drawn = soft_picture(640, 480);
  double off = 0;
  for (std::size_t i = 0; i < drawn.size(); ++i) off += std::abs(int(whole.rgb[i]) - int(drawn[i]));
  CHECK(off / double(drawn.size()) < 2.0);
  for (const auto& [window, side, denominator] : {std::tuple{cn::image_window{100, 50, 300, 300}, 200, 1},
                                                  std::tuple{cn::image_window{100, 51, 301, 300}, 100, 2},
                                                  std::tuple{cn::image_window{333, 170, 300, 310}, 60, 4},
                                                  std::tuple{cn::image_window{0, 0, 640, 480}, 20, 8}}) {
    const auto part = support::jpeg_decoder(bytes_of(file)).decode(window, side);
    CHECK(part.scale_x == doctest::Approx(1.0 / denominator));
    CHECK(part.width <= 640 / denominator);
    CHECK(part.height * denominator < window.height + 2 * denominator);
    std::vector<float> expected(static_cast<std::size_t>(3 * side * side));
    cn::resample(whole.region(), window, side, false, expected.data());
    CHECK(mean_difference(square(file, window, side), expected) < 1.0);
  }
  const auto progressive = encode(soft_picture(640, 480), 640, 480, JCS_RGB, true);
  CHECK(mean_difference(square(progressive, {100, 50, 300, 300}, 100),
                        square(file, {100, 50, 300, 300}, 100)) < 1.0);
  const auto gray = encode(soft_picture(64, 64, 1), 64, 64, JCS_GRAYSCALE);
  const auto shades = square(gray, {0, 0, 64, 64}, 64);
  CHECK(shades[0] == shades[1]);
  CHECK(shades[0] == doctest::Approx(double(soft_picture(64, 64, 1)[0])).epsilon(0.05));
  // Inks as libjpeg's own writer stores them, which is Adobe's way: 255 is none.
  std::vector<std::uint8_t> inks;
  for (int i = 0; i < 16 * 16; ++i) inks.insert(inks.end(), {200, 100, 50, 128});
  const auto printed = square(encode(inks, 16, 16, JCS_CMYK), {0, 0, 16, 16}, 16);
  CHECK(printed[0] == doctest::Approx(200 * 128 / 255.0).epsilon(0.05));
  CHECK(printed[1] == doctest::Approx(100 * 128 / 255.0).epsilon(0.05));
  const auto by_lightness = encode(inks, 16, 16, JCS_CMYK, false, [](jpeg_compress_struct& state) {
    jpeg_set_colorspace(&state, JCS_YCCK);
  });
  CHECK(mean_difference(square(by_lightness, {0, 0, 16, 16}, 16), printed) < 2.0);
  const auto not_adobe = encode(inks, 16, 16, JCS_CMYK, false, [](jpeg_compress_struct& state) {
    state.write_Adobe_marker = FALSE;
  });  // 0 is none
  CHECK(square(not_adobe, {0, 0, 16, 16}, 16)[0] == doctest::Approx(55 * 127 / 255.0).epsilon(0.05));
}

TEST_CASE("JPEG: what cannot be decoded says why, before anything is allocated") {
  const auto file = picture(200, 100);
  CHECK_SAYS(refused("\x89PNG\r\n\x1a\n"), "not a JPEG");
  CHECK_SAYS(refused(""), "not a JPEG");
  CHECK_SAYS(refused("\xff\xe0"), "not a JPEG");
  CHECK_SAYS(refused(file.substr(0, 100)), "");
  CHECK(!refused(file.substr(0, 100)).empty());
  CHECK_SAYS(refused(file.substr(0, file.size() * 2 / 3), {0, 0, 200, 100}), "Premature end of JPEG file");
  std::string huge = file;
  const auto frame = huge.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  huge.replace(frame + 5, 4, "\xff\x00\xff\x00", 4);
  CHECK_SAYS(refused(huge), "65280 x 65280 pixels, more than 64 million");
  // The first of its scans, again and again: work without end.
  const auto progressive = encode(soft_picture(16, 16), 16, 16, JCS_RGB, true);
  const auto scan = progressive.find("\xff\xda");
  const auto next = progressive.find("\xff\xc4", scan);
  REQUIRE(next != std::string::npos);
  std::string endless = progressive.substr(0, next);
  for (int i = 0; i < 200; ++i) endless += progressive.substr(scan, next - scan);
  CHECK_SAYS(refused(endless + "\xff\xd9"), "it has more than 100 scans");
  // Any cut and any flipped byte: an image or an error, nothing else.
  for (std::size_t at = 0; at < file.size(); at += 13) {
    std::string broken = file;
    broken[at] = static_cast<char>(broken[at] ^ 0x5a);
    refused(broken, {0, 0, 200, 100});
    refused(file.substr(0, at), {0, 0, 200, 100});
  }
}

TEST_CASE(
    "class folders: labels, batches of any number of threads, evaluation, and what is unreadable is "
    "named and counted") {
  const tests::temporary_folder folder;
  for (const char* split : {"train", "val"}) {
    for (const char* name : {"b", "a"}) {
      std::filesystem::create_directories(folder.path() / split / name);
      for (int i = 0; i < 4; ++i) {
        folder.write(std::string(split) + "/" + name + "/" + std::to_string(i) + (i == 0 ? ".JPEG" : ".jpg"),
                     picture(60 + 10 * i, 50));
      }
    }
  }
  folder.write("train/a/notes.txt", "no image");
  folder.write("train/b/2.jpg", picture(60, 50).substr(0, 300));
  const auto unreadable = std::make_shared<support::unreadable_list>(3);
  std::filesystem::create_symlink("/etc/passwd", folder.path() / "train/a/link.jpg");
  const auto files = support::list_images(folder.path() / "train", *unreadable);
  CHECK(files.classes == std::vector<std::string>{"a", "b"});
  CHECK(files.size() == 8);
  CHECK(files.labels == std::vector<std::int64_t>{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(files.some(3).labels == std::vector<std::int64_t>{0, 0, 1});
  CHECK(unreadable->size() == 1);
  CHECK_SAYS(unreadable->files().begin()->first, "link.jpg");

  const auto images =
      std::make_shared<const support::folder_images>(files, cn::window_options{.side = 32}, unreadable);
  const auto set = support::training_set_of(images);
  CHECK(set.size == 8);
  CHECK(set.classes == 2);
  const auto source = set.epoch({.batch_size = 3, .seed = 4, .epoch = 2, .drop_last = false});
  CHECK(source.size == 3);
  std::vector<cn::batch> expected;
  for (std::int64_t i = 0; i < 3; ++i) expected.push_back(source.make(i));
  CHECK(unreadable->size() == 2);
  CHECK_SAYS(unreadable->files().rbegin()->first, "b/2.jpg");
  CHECK(expected[0].images.sizes() == at::IntArrayRef{3, 3, 32, 32});
  CHECK(expected[0].images.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(expected[2].images.size(0) == 2);
  std::multiset<std::int64_t> seen;
  for (const auto& b : expected) {
    CHECK(b.images.isfinite().all().item<bool>());
    for (std::size_t i = 0; i < b.indices.size(); ++i) {
      seen.insert(b.indices[i]);
      CHECK(b.labels[static_cast<std::int64_t>(i)].item<std::int64_t>() ==
            files.labels[static_cast<std::size_t>(b.indices[i])]);
    }
  }
  CHECK(seen ==
        std::multiset<std::int64_t>{0, 1, 2, 3, 4, 5, 7, 7});  // 6 cannot be read: the next one instead
  for (const int workers : {1, 4}) {
    cn::prefetched_batches ahead(source, workers);
    for (const auto& b : expected) CHECK(at::equal(ahead.next()->images, b.images));
  }
  const auto other = set.epoch({.batch_size = 8, .seed = 4, .epoch = 3}).make(0);
  CHECK_FALSE(at::equal(other.images.narrow(0, 0, 3), expected[0].images));

  const auto evaluation = support::evaluation_source_of(images, {.batch_size = 5});
  CHECK(evaluation.size == 2);
  CHECK(evaluation.make(0).indices == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  CHECK(evaluation.make(1).indices == std::vector<std::int64_t>{5, 7});  // left out
  CHECK(at::equal(evaluation.make(1).images, evaluation.make(1).images));
  CHECK(unreadable->size() == 2);  // each is counted once

  // A link that comes into the place of a file after the listing is not followed.
  const auto third = folder.path() / "train/b/3.jpg";
  std::filesystem::rename(third, folder.path() / "elsewhere.jpg");
  std::filesystem::create_symlink(folder.path() / "elsewhere.jpg", third);
  CHECK(evaluation.make(1).indices == std::vector<std::int64_t>{5});
  CHECK_SAYS(unreadable->files().at(third.string()), "is a symbolic link");
  std::filesystem::rename(folder.path() / "elsewhere.jpg", third);

  folder.write("train/b/0.JPEG", "nothing");
  CHECK_SAYS(message_of([&] { evaluation.make(0), evaluation.make(1); }),
             "4 images cannot be read, more than the 3");
  CHECK_SAYS(message_of([&] { support::list_images(folder.path() / "none", *unreadable); }),
             "does not exist");
  CHECK_SAYS(message_of([&] { support::list_images(folder.path() / "val/a", *unreadable); }),
             "holds no folders");
  CHECK_SAYS(message_of([&] {
               support::list_images(folder.path() / "val", *unreadable, std::vector<std::string>{"a"});
             }),
             "has a class 'b' that the training images lack");
  CHECK_SAYS(message_of([&] { support::list_images(folder.path() / "val", *unreadable, std::nullopt, 3); }),
             "has more than 3 files in a folder");
  CHECK_SAYS(message_of([&] { support::list_images(folder.path() / "val/a/1.jpg", *unreadable); }),
             "cannot be listed: Not a directory");
  for (const int side : {0, 4097}) {
    CHECK_SAYS(message_of([&] { const support::folder_images wrong(files, {.side = side}, unreadable); }),
               "it is to be from 1 to 4096");
  }
}

TEST_CASE("class folders: what is no image, some of them, none of them, and a list of what is unreadable") {
  const tests::temporary_folder folder;
  std::filesystem::create_directories(folder.path() / "a/folder.jpg");
  std::filesystem::create_directory(folder.path() / "b");
  std::filesystem::create_directory_symlink(folder.path() / "b", folder.path() / "c");
  support::unreadable_list unreadable(2);
  CHECK_SAYS(message_of([&] { support::list_images(folder.path(), unreadable); }),
             "holds no .jpg or .jpeg files");
  CHECK(unreadable.files().at((folder.path() / "a/folder.jpg").string()) == "it is no file");
  CHECK(unreadable.files().at((folder.path() / "c").string()) == "it is a symbolic link");
  for (const char* name : {"a/1.jpg", "b/1.jpg", "b/2.jpg", "b/3.jpg"}) folder.write(name, "nothing");
  const auto files = support::list_images(folder.path(), unreadable);
  CHECK(files.size() == 4);
  CHECK(files.some(0).size() == 4);
  CHECK(files.some(4).size() == 4);
  CHECK(files.some(3).labels == std::vector<std::int64_t>{0, 1, 1});

  const auto six = std::make_shared<support::unreadable_list>(6);
  const support::folder_images images(files, {.side = 8}, six);
  const std::vector<std::int64_t> first{0};
  CHECK_SAYS(message_of([&] { images.training_batch(first, {.batch_size = 1}); }),
             "none of the images can be read");
  CHECK(six->size() == 4);
  six->add("x", "one");
  six->add("y", "two");
  const auto said = message_of([&] { six->add("z", "three"); });
  CHECK_SAYS(said, "7 images cannot be read, more than the 6 that are accepted:");
  CHECK_SAYS(said, "\n  ...");
  CHECK(said.find("'z'") == std::string::npos);
}

TEST_CASE("CIFAR-100 and MNIST are found by the names of their files") {
  const tests::temporary_folder folder;
  const auto record = [](char coarse, char fine, char pixel) {
    return std::string{coarse, fine} + std::string(3072, pixel);
  };
  folder.write("train.bin", record(3, 42, 10) + record(4, 99, 30));
  folder.write("test.bin", record(5, 7, 20));
  const auto cifar = support::load_cifar100(folder.path());
  CHECK(cifar.train.classes() == 100);
  CHECK(cifar.train.labels()[1].item<int>() == 99);
  CHECK(cifar.held_out.labels()[0].item<int>() == 7);
  CHECK(cifar.held_out.mean() == cifar.train.mean());
  CHECK_SAYS(message_of([] { support::load_cifar100("no/such"); }), "does not exist");

  const auto word = [](std::uint8_t value) { return std::string(3, '\0') + static_cast<char>(value); };
  const std::string images =
      std::string("\0\0\x08\x03", 4) + word(1) + word(28) + word(28) + std::string(784, '\7');
  const std::string labels = std::string("\0\0\x08\x01", 4) + word(1) + '\5';
  for (const char* prefix : {"train", "t10k"}) {
    folder.write(std::string(prefix) + "-images-idx3-ubyte", images);
    folder.write(std::string(prefix) + "-labels-idx1-ubyte", labels);
  }
  const auto mnist = support::load_mnist(folder.path());
  CHECK(mnist.train.images().sizes() == at::IntArrayRef{1, 1, 28, 28});
  CHECK(mnist.held_out.labels()[0].item<int>() == 5);
  CHECK_SAYS(message_of([] { support::load_mnist("/"); }), "Get the IDX files of MNIST");
}

TEST_CASE("photographs of a real folder: all decode, nearly as fast as a bare loop of libjpeg-turbo" *
          doctest::test_suite("optional")) {
  const char* root = std::getenv("CRISPNAS_TEST_DATA");
  if (root == nullptr || *root == '\0' || !std::filesystem::exists(std::filesystem::path(root) / "flowers")) {
    MESSAGE(
        "NOT TESTED: set CRISPNAS_TEST_DATA to a folder with flowers/train/<class>/*.jpg to test on real "
        "photographs.");
    return;
  }
  const auto unreadable = std::make_shared<support::unreadable_list>(0);
  const auto files = support::list_images(std::filesystem::path(root) / "flowers" / "train", *unreadable);
  std::vector<std::vector<std::byte>> contents;
  for (const auto& path : files.files)
    contents.push_back(cn::read_data_file(path, support::most_image_bytes));
  std::size_t bare_bytes = 0;
  std::size_t our_bytes = 0;
  const auto bare = [&] {
    for (const auto& file : contents) bare_bytes += support::decode_bare(file);
  };
  const auto whole = [&] {
    for (const auto& file : contents) {
      support::jpeg_decoder decoder(file);
      const cn::image_window all{0, 0, double(decoder.width()), double(decoder.height())};
      our_bytes += decoder.decode(all, std::max(decoder.width(), decoder.height())).rgb.size();
    }
  };
  const auto images = std::make_shared<const support::folder_images>(files, cn::window_options{}, unreadable);
  const auto batches = support::training_set_of(images).epoch({.batch_size = files.size()});
  // Processor time, the least of several turns: what else runs on the machine must not decide.
  double least[3] = {1e9, 1e9, 1e9};
  const auto turn = [&](int which, const auto& body) {
    const auto from = std::clock();
    body();
    least[which] = std::min(least[which], double(std::clock() - from));
  };
  for (int i = 0; i < (test::watched ? 1 : 4); ++i) {
    turn(0, bare);
    turn(1, whole);
    turn(2, [&] { batches.make(0); });
  }
  MESSAGE("decoding of ", files.size(), " photographs: ", least[1] / least[0],
          " of a bare loop; to a training batch: ", least[2] / least[0]);
  CHECK(our_bytes == bare_bytes);
  CHECK_FAST(least[1] < 1.25 * least[0]);
}
