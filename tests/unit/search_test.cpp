// Optimizers against formulas, the bilevel step against two passes by hand, and searches on a tiny problem.
#include <cmath>
#include <crispnas/discretize/discretize.hpp>
#include <crispnas/discretize/gap.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/search/searcher.hpp>
#include <string>

#include "support.hpp"

namespace search_test {

namespace cn = crispnas;
using test::contains;
using test::message_of;

namespace {

template <class... P>
using darts = cn::spec<cn::darts_cell, P...>;

cn::supernet_options small_options(std::uint64_t seed = 1) {
  return {.channels = 8, .cells = 2, .classes = 2, .seed = seed, .dtype = at::kDouble};
}

/// Two classes that a glance tells apart: dark and bright images, with noise.
cn::labelled_images easy(std::int64_t n) {
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor labels = at::arange(n, at::kLong) % 2;
  const at::Tensor noise = at::randint(0, 100, {n, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kLong));
  return {(noise + labels.view({n, 1, 1, 1}) * 120).to(at::kByte), labels, 2};
}

cn::search_options quick(int epochs = 2) {
  cn::search_options o;
  o.epochs = epochs;
  o.batch_size = 8;
  o.augment = {.crop_padding = 1, .flip = true, .cutout = 0};
  return o;
}

cn::labelled_batch batch_of(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return {at::randn({6, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kDouble)),
          at::arange(6, at::kLong) % 2};
}

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& all) {
  std::vector<at::Tensor> c;
  for (const auto& t : all) c.push_back(t.detach().clone());
  return c;
}
double difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double worst = a.size() == b.size() ? 0.0 : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    worst = std::max(worst, test::difference(a[i], b[i]));
  return worst;
}

}  // namespace

TEST_CASE("a search by the fused kernels finds what a search by LibTorch's operations finds") {
  // In float64, so that rounding does not part them: 12 steps, then the cut and its accuracies.
  struct outcome {
    std::vector<double> numbers;
    std::string cell;
  };
  const auto run = [](auto spec, cn::compute_path path) {
    cn::supernet<decltype(spec)> net(
        {.channels = 8, .cells = 3, .classes = 2, .seed = 4, .dtype = at::kDouble, .path = path});
    CHECK(net.is_fused() == (path == cn::compute_path::fused));
    auto options = quick(test::watched ? 1 : 3);
    options.alpha_rate = options.beta_rate = 0.05;
    const auto data = easy(test::watched ? 32 : 64);
    outcome all;
    cn::searcher search(net, options);
    for (const auto& epoch : search.run(data)) {
      all.numbers.insert(all.numbers.end(), {epoch.train_loss, epoch.train_accuracy});
    }
    const auto found = cn::discretize(net);
    all.cell = cn::to_text(found);
    const auto gap = cn::discretization_gap(net, found, data);
    all.numbers.insert(all.numbers.end(), {gap.before, gap.after});
    for (const auto& [name, value] : net.arch().named()) {
      for (const double v : test::numbers(value)) all.numbers.push_back(v);
    }
    return all;
  };
  const auto compare = [&](auto spec) {
    const outcome stock = run(spec, cn::compute_path::stock);
    const outcome fused = run(spec, cn::compute_path::fused);
    CHECK(fused.cell == stock.cell);
    REQUIRE(fused.numbers.size() == stock.numbers.size());
    for (std::size_t i = 0; i < stock.numbers.size(); ++i) {
      CHECK(fused.numbers[i] == doctest::Approx(stock.numbers[i]).epsilon(1e-6));
    }
  };
  compare(darts<cn::edges_3_of_14>{});
  compare(darts<cn::edges_8_of_14, cn::partial_channels<1>>{});
  compare(cn::spec<cn::nas_bench_201_cell>{});
}

TEST_CASE("sgd: 20 steps against the formula") {
  const at::Tensor w = test::doubles({1.0, -2.0, 0.5});
  cn::sgd optimizer({w}, {.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01});
  std::vector<double> x{1.0, -2.0, 0.5};
  std::vector<double> v(3, 0.0);
  for (int step = 1; step <= 20; ++step) {
    if (step == 11) optimizer.rate(0.03);
    const double rate = step >= 11 ? 0.03 : 0.1;
    optimizer.step({w.sin() + 0.1 * step});
    for (std::size_t i = 0; i < 3; ++i) {
      v[i] = 0.9 * v[i] + (std::sin(x[i]) + 0.1 * step) + 0.01 * x[i];
      x[i] -= rate * v[i];
    }
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(test::numbers(w)[i] == doctest::Approx(x[i]).epsilon(1e-12));
  }
}

TEST_CASE("adam: 20 steps against the formula") {
  const at::Tensor w = test::doubles({1.0, -2.0, 0.5});
  cn::adam optimizer({w}, {.rate = 0.05, .beta1 = 0.5, .beta2 = 0.999, .weight_decay = 0.02, .eps = 1e-3});
  std::vector<double> x{1.0, -2.0, 0.5};
  std::vector<double> m(3, 0.0);
  std::vector<double> v(3, 0.0);
  for (int step = 1; step <= 20; ++step) {
    optimizer.step({w.cos() + 0.1 * step});
    for (std::size_t i = 0; i < 3; ++i) {
      const double g = std::cos(x[i]) + 0.1 * step + 0.02 * x[i];
      m[i] = 0.5 * m[i] + 0.5 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double mean = m[i] / (1 - std::pow(0.5, step));
      x[i] -= 0.05 * mean / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-3);
    }
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(test::numbers(w)[i] == doctest::Approx(x[i]).epsilon(1e-12));
  }
}

TEST_CASE("cosine rate: golden values, and PyTorch's recursion") {
  CHECK(cn::cosine_rate(0.025, 0.0, 1, 50) == 0.025);
  CHECK(cn::cosine_rate(0.025, 0.0, 26, 50) == doctest::Approx(0.0125).epsilon(1e-12));
  CHECK(cn::cosine_rate(0.025, 0.001, 50, 50) ==
        doctest::Approx(0.001 + 0.012 * (1 + std::cos(std::acos(-1.0) * 0.98))));
  double rate = 0.025;  // CosineAnnealingLR(T_max = 50, eta_min = 0.001): each rate from the one before
  for (int e = 1; e < 50; ++e) {
    const double pi = std::acos(-1.0);
    rate = (1 + std::cos(pi * e / 50)) / (1 + std::cos(pi * (e - 1) / 50)) * (rate - 0.001) + 0.001;
    CHECK(cn::cosine_rate(0.025, 0.001, e + 1, 50) == doctest::Approx(rate).epsilon(1e-9));
  }
}

TEST_CASE("clipping: one common norm") {
  const std::vector<at::Tensor> large{test::doubles({3.0, 0.0}), test::doubles({4.0})};
  CHECK(cn::clip_gradients(large, 2.5).item<double>() == doctest::Approx(5.0));
  CHECK(test::numbers(large[0])[0] == doctest::Approx(1.5).epsilon(1e-6));
  CHECK(test::numbers(large[1])[0] == doctest::Approx(2.0).epsilon(1e-6));
  const std::vector<at::Tensor> small{test::doubles({0.3, 0.4})};
  CHECK(cn::clip_gradients(small, 2.5).item<double>() == doctest::Approx(0.5));
  CHECK(test::numbers(small[0]) == std::vector<double>{0.3, 0.4});
  CHECK(cn::clip_gradients(large, 0.0).item<double>() == doctest::Approx(2.5).epsilon(1e-6));
  CHECK(test::numbers(large[1])[0] == doctest::Approx(2.0).epsilon(1e-6));
  for (auto type : {at::kFloat, at::kDouble}) {  // any layout and length, against the same in one tensor
    auto generator = at::detail::createCPUGenerator(4);
    std::vector<at::Tensor> many;
    for (std::int64_t n = 1; n <= 40; ++n)
      many.push_back(at::randn({n, 3}, generator, at::TensorOptions().dtype(type)).t());
    many.push_back(at::ones({2, 1}, at::TensorOptions().dtype(type)).expand({2, 3}).contiguous());
    const auto flat = [&] {
      std::vector<at::Tensor> parts;
      for (const auto& t : many) parts.push_back(t.to(at::kDouble).flatten());
      return at::cat(parts);
    };
    const at::Tensor before = flat();
    const double norm = before.norm().item<double>();
    CHECK(cn::clip_gradients(many, 7.0).item<double>() == doctest::Approx(norm).epsilon(1e-6));
    CHECK(test::difference(flat(), before * (7.0 / norm)) < 1e-6);
  }
  const std::vector<at::Tensor> lost{test::doubles({1.0, NAN})};
  CHECK(std::isnan(cn::clip_gradients(lost, 5.0).item<double>()));
  CHECK(std::isnan(test::numbers(lost[0])[0]));
}

TEST_CASE("a bilevel step equals two passes by hand") {
  using space = darts<cn::edges_3_of_14>;
  cn::supernet<space> net(small_options());
  cn::supernet<space> manual(small_options());
  const cn::sgd_options sgd{.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01};
  const cn::adam_options adam{.rate = 0.02, .weight_decay = 0.003};
  cn::sgd weights(net.weights(), sgd);
  cn::adam alpha(net.arch().alphas(), adam);
  cn::adam beta(net.arch().betas(), adam);
  const double strength = 0.7;
  const cn::step_losses losses{&cn::regularizer_terms<cn::da2s<>>::at, 5, 9, strength};
  const auto train = batch_of(10);
  const auto arch = batch_of(20);
  const double clip = 0.5;
  const auto result = cn::bilevel_step(net, losses, {weights, alpha, beta, clip, true, true}, train, arch);

  manual.train();
  const auto old_weights = copies(manual.weights());
  std::vector<at::Tensor> searched = manual.arch().alphas();
  for (const auto& b : manual.arch().betas()) searched.push_back(b);
  // Equation 7 in epoch 5 of 9: lambda_c = 4/8, the log begins at round(9 * 8 / 50) = 1: ln 5 / ln 9.
  const auto edges = cn::edge_entropy(manual.arch());
  const at::Tensor classify = at::cross_entropy_loss(manual.forward(arch.images), arch.labels);
  const at::Tensor loss = classify + strength * 0.5 *
                                         (std::log(5.0) / std::log(9.0) * cn::op_entropy(manual.arch()) +
                                          4 * (edges.entropy + edges.distance));
  const auto g = torch::autograd::grad({loss}, searched);
  {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < searched.size();
         ++i) {  // the first step of Adam: mean and square are those of one gradient
      const at::Tensor d = g[i] + 0.003 * searched[i];
      searched[i].sub_(0.02 * d / (d.abs() + 1e-8));
    }
  }
  CHECK(difference(net.arch().alphas(), manual.arch().alphas()) < 1e-10);
  CHECK(difference(net.arch().betas(), manual.arch().betas()) < 1e-10);
  CHECK(result.arch_loss.item<double>() == doctest::Approx(classify.item<double>()).epsilon(1e-12));

  const at::Tensor training = at::cross_entropy_loss(manual.forward(train.images), train.labels);
  const auto h = torch::autograd::grad({training}, manual.weights(), {}, {}, false, true);
  double square = 0.0;
  for (const auto& t : h) square += t.defined() ? t.square().sum().item<double>() : 0.0;
  CHECK(std::sqrt(square) > clip);
  CHECK(result.gradient_norm.item<double>() == doctest::Approx(std::sqrt(square)).epsilon(1e-9));
  CHECK(result.weight_loss.item<double>() == doctest::Approx(training.item<double>()).epsilon(1e-12));
  std::vector<at::Tensor> wanted;
  for (std::size_t i = 0; i < h.size(); ++i) {
    const at::Tensor d =
        h[i].defined() ? h[i] * (clip / (std::sqrt(square) + 1e-6)) : at::zeros_like(old_weights[i]);
    wanted.push_back(old_weights[i] - 0.1 * (d + 0.01 * old_weights[i]));
  }
  CHECK(difference(net.weights(), wanted) < 1e-10);
  for (const auto& w : net.weights()) CHECK(w.requires_grad());
}

TEST_CASE("a bilevel step, the cut and the gap on a GPU are those on the CPU" *
          doctest::test_suite("optional")) {
  if (!at::hasCUDA()) {
    MESSAGE("NOT TESTED: there is no GPU that this LibTorch can use");
    return;
  }
  struct outcome {
    std::vector<at::Tensor> weights, alphas, betas;
    cn::discretization_gap_report gap;
    bool fused;
  };
  const auto run = [](at::Device device) {
    auto options = small_options();
    options.device = device;
    cn::supernet<darts<cn::edges_3_of_14>> net(options);
    cn::searcher search(net, quick(2));
    for (const auto& epoch : search.run(easy(64))) CHECK(std::isfinite(epoch.train_loss));
    const auto gap = cn::discretization_gap(net, cn::discretize(net), easy(32));
    std::vector<at::Tensor> weights = copies(net.weights()), alphas = copies(net.arch().alphas()),
                            betas = copies(net.arch().betas());
    for (auto* all : {&weights, &alphas, &betas}) {
      for (auto& t : *all) {
        CHECK(t.device().type() == device.type());
        t = t.cpu();
      }
    }
    return outcome{weights, alphas, betas, gap, net.is_fused()};
  };
  const outcome cpu = run(at::kCPU);
  const outcome gpu = run(at::Device(at::kCUDA, 0));
  CHECK_FALSE(gpu.fused);
  CHECK(difference(cpu.weights, gpu.weights) < 1e-9);
  CHECK(difference(cpu.alphas, gpu.alphas) < 1e-9);
  CHECK(difference(cpu.betas, gpu.betas) < 1e-9);
  CHECK(cpu.gap.before == doctest::Approx(gpu.gap.before));
  CHECK(cpu.gap.after == doctest::Approx(gpu.gap.after));
}

TEST_CASE("each level learns from its own batch only") {
  using space = darts<cn::edges_4_of_14>;
  struct outcome {
    std::vector<at::Tensor> weights, alphas, betas;
  };
  const auto step = [](std::uint64_t train, std::uint64_t arch, bool train_alpha, bool train_beta) {
    cn::supernet<space> net(small_options());
    cn::sgd weights(net.weights(), {});
    cn::adam alpha(net.arch().alphas(), {});
    cn::adam beta(net.arch().betas(), {});
    cn::bilevel_step(net, {}, {weights, alpha, beta, 5.0, train_alpha, train_beta}, batch_of(train),
                     batch_of(arch));
    return outcome{copies(net.weights()), copies(net.arch().alphas()), copies(net.arch().betas())};
  };
  const cn::supernet<space> fresh(small_options());
  const auto base = step(1, 2, true, true);
  const auto other_train = step(3, 2, true, true);
  CHECK(difference(base.alphas, other_train.alphas) == 0.0);
  CHECK(difference(base.betas, other_train.betas) == 0.0);
  CHECK(difference(base.weights, other_train.weights) > 1e-6);
  const auto frozen = step(1, 2, false, false);
  const auto frozen_other_arch = step(1, 4, false, false);
  CHECK(difference(frozen.weights, frozen_other_arch.weights) == 0.0);
  CHECK(difference(frozen.alphas, fresh.arch().alphas()) == 0.0);
  CHECK(difference(frozen.betas, fresh.arch().betas()) == 0.0);
  const auto only_beta = step(1, 2, false, true);
  CHECK(difference(only_beta.alphas, fresh.arch().alphas()) == 0.0);
  CHECK(difference(only_beta.betas, base.betas) < 1e-12);
  CHECK(difference(base.alphas, step(1, 4, true, true).alphas) > 1e-6);
}

TEST_CASE("statistics that are not to move stay bit for bit") {
  for (auto path : {cn::compute_path::stock, cn::compute_path::automatic}) {
    auto options = small_options();
    options.path = path;
    cn::supernet<darts<>> net(options);
    net.train();
    const auto before = copies(net.buffers());
    net.update_statistics(false);
    net.forward(batch_of(1).images);
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(at::equal(net.buffers()[i], before[i]));
    net.update_statistics(true);
    net.forward(batch_of(1).images);
    int moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i) moved += at::equal(net.buffers()[i], before[i]) ? 0 : 1;
    CHECK(moved == int(before.size()));
  }
}

TEST_CASE("a search: reports, rates, loss goes down, and a seed means the same run") {
  using space = darts<cn::edges_4_of_14>;
  const auto data = easy(64);
  const auto run = [&](std::uint64_t seed) {
    auto options = quick(4);
    options.seed = seed;
    cn::supernet<space> net(small_options());
    cn::searcher search(net, options);
    std::vector<cn::epoch_report> reports;
    for (const auto& epoch : search.run(data)) reports.push_back(epoch);
    return std::pair(reports, copies(net.arch().alphas()));
  };
  const auto [reports, alphas] = run(5);
  REQUIRE(reports.size() == 4);
  for (int e = 1; e <= 4; ++e) {
    const auto& r = reports[std::size_t(e - 1)];
    CHECK(r.epoch == e);
    CHECK(r.epochs == 4);
    CHECK(r.weight_rate == doctest::Approx(0.0125 * (1 + std::cos(std::acos(-1.0) * (e - 1) / 4.0))));
    REQUIRE(r.terms.size() == 3);
    CHECK(r.terms[0].name == "op_entropy");
    CHECK(r.terms[2].factor == doctest::Approx(4.0 * (e - 1) / 3.0));
    CHECK(r.terms[0].value == doctest::Approx(28 * std::log(7.0)).epsilon(0.05));
  }
  CHECK(reports.back().train_loss < 0.7 * reports.front().train_loss);
  CHECK(reports.back().arch_loss < reports.front().arch_loss);
  CHECK(reports.back().train_accuracy > 90.0);
  const auto [same, same_alphas] = run(5);
  CHECK(difference(alphas, same_alphas) == 0.0);
  CHECK(same.back().train_loss == reports.back().train_loss);
  CHECK(difference(alphas, run(6).second) > 1e-9);
}

TEST_CASE("warm-ups: alpha and beta wait for their own share of the epochs") {
  auto options = quick(4);
  options.alpha_warmup = 0.5;
  options.beta_warmup = 0.25;
  cn::supernet<darts<cn::edges_4_of_14>> net(small_options());
  cn::searcher search(net, options);
  auto alphas = copies(net.arch().alphas());
  auto betas = copies(net.arch().betas());
  for (const auto& epoch : search.run(easy(32))) {
    CHECK((difference(alphas, net.arch().alphas()) > 0.0) == (epoch.epoch > 2));
    CHECK((difference(betas, net.arch().betas()) > 0.0) == (epoch.epoch > 1));
    CHECK(std::isnan(epoch.arch_loss) == (epoch.epoch == 1));
    // What the regularizer says is reported while both wait, too: each epoch has the same terms.
    REQUIRE(epoch.terms.size() == 3);
    CHECK(epoch.terms[0].name == "op_entropy");
    if (epoch.epoch == 1) CHECK(epoch.terms[0].value > 0.0);
    alphas = copies(net.arch().alphas());
    betas = copies(net.arch().betas());
  }
}

TEST_CASE(
    "in a full warm-up the terms are those of alpha and beta as they are, and nothing moves, in each order") {
  for (const auto order :
       {cn::search_order::first, cn::search_order::second, cn::search_order::single_level}) {
    auto options = quick(1);
    options.order = order;
    options.alpha_warmup = options.beta_warmup = 1.0;
    options.strength = 2.0;
    cn::supernet<darts<cn::edges_4_of_14>> net(small_options());
    const auto expected = cn::regularizer_terms<cn::da2s<>>::at(net.arch(), 1, 1);
    cn::searcher search(net, options);
    for (const auto& epoch : search.run(easy(32))) {
      REQUIRE(epoch.terms.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(epoch.terms[i].name == expected[i].name);
        CHECK(epoch.terms[i].value == expected[i].value.item<double>());
        CHECK(epoch.terms[i].factor == 2.0 * expected[i].factor);
      }
    }
  }
}

TEST_CASE("the first half of the data trains the weights, the second one alpha and beta") {
  const auto all = easy(64).halves();
  const cn::labelled_images other(at::full({32, 3, 8, 8}, 90, at::kByte), at::zeros({32}, at::kLong), 2);
  struct outcome {
    std::vector<at::Tensor> weights, alphas;
  };
  const auto run = [&](const cn::dataset_halves& halves, double alpha_warmup) {
    auto options = quick(1);
    options.alpha_warmup = options.beta_warmup = alpha_warmup;
    cn::supernet<darts<cn::edges_4_of_14>> net(small_options());
    cn::searcher search(net, options);
    for (const auto& epoch : search.run(halves)) CHECK(epoch.epoch == 1);
    return outcome{copies(net.weights()), copies(net.arch().alphas())};
  };
  const auto whole = easy(64);
  cn::supernet<darts<cn::edges_4_of_14>> net(small_options());
  auto options = quick(1);
  options.alpha_warmup = options.beta_warmup = 1.0;
  cn::searcher search(net, options);
  for (const auto& epoch : search.run(whole)) CHECK(epoch.epoch == 1);
  const auto usual = run(all, 1.0);
  CHECK(difference(usual.weights, copies(net.weights())) == 0.0);  // a data set is cut into these halves
  CHECK(difference(run({all.weights, other}, 1.0).weights, usual.weights) == 0.0);
  CHECK(difference(run({other, all.architecture}, 1.0).weights, usual.weights) > 1e-6);
  CHECK(difference(run({all.weights, other}, 0.0).alphas, run(all, 0.0).alphas) > 1e-6);
}

TEST_CASE("numbers that are lost stop the search, with epoch, step and parameter") {
  auto options = quick(3);
  cn::supernet<darts<>> net(small_options());
  options.on_step = [&](const cn::step_progress& at) {
    at::NoGradGuard no_grad;
    if (at.epoch == 2 && at.step == 1) net.named_parameters()["stem.0.weight"].fill_(NAN);
  };
  cn::searcher search(net, options);
  int seen = 0;
  const auto message = message_of([&] {
    for (const auto& epoch : search.run(easy(64))) seen = epoch.epoch;
  });
  CHECK(seen == 1);
  CHECK(contains(message, "epoch 2, step 2:"));
  CHECK(contains(message, "parameters with a NaN or infinity: stem.0.weight first among the weights"));
  // An image that is not a number, from the user's normalization.
  cn::supernet<darts<>> other(small_options());
  auto labels = at::arange(32, at::kLong) % 2;
  auto bright = at::full({32, 3, 8, 8}, 255, at::kByte);
  const cn::labelled_images broken(bright, labels, 2, {{0, 0, 0}, {1e-310, 1, 1}});
  cn::searcher unlucky(other, quick());
  const auto told = message_of([&] {
    for (const auto& epoch : unlucky.run(broken)) CHECK(epoch.epoch == 0);
  });
  CHECK(contains(told, "epoch 1, step 1:"));
}

TEST_CASE("options that cannot work") {
  cn::supernet<darts<>> net(small_options());
  const auto with = [&](auto change) {
    auto options = quick();
    change(options);
    return message_of([&] {
      cn::searcher search(net, options);
      for (const auto& epoch : search.run(easy(20))) CHECK(epoch.epoch > 0);
    });
  };
  CHECK(contains(with([](auto& o) { o.epochs = 0; }), "epochs = 0"));
  CHECK(contains(with([](auto& o) { o.batch_size = 11; }),
                 "batch_size = 11 is larger than a half of the training data (10"));
  CHECK(contains(with([](auto& o) { o.batch_size = 1; }), "batch_size = 1"));
  CHECK(contains(with([](auto& o) { o.alpha_rate = -1; }), "alpha_rate = -1"));
  CHECK(contains(with([](auto& o) { o.weight_rate = NAN; }), "weight_rate = nan"));
  CHECK(contains(with([](auto& o) { o.last_weight_rate = INFINITY; }), "last_weight_rate = inf"));
  CHECK(contains(with([](auto& o) { o.strength = NAN; }), "strength = nan"));
  CHECK(contains(with([](auto& o) { o.momentum = 1.0; }), "momentum = 1"));
  CHECK(contains(with([](auto& o) { o.beta_warmup = 1.5; }), "beta_warmup = 1.5"));
  CHECK(with([](auto& o) { o.batch_size = 10; }) == "no error");
}

TEST_CASE("data that does not fit the network or a search") {
  cn::supernet<darts<>> net(small_options());
  cn::searcher search(net, quick());
  const auto of = [](std::vector<std::int64_t> labels, std::int64_t classes) {
    const auto n = std::int64_t(labels.size());
    return cn::labelled_images(at::zeros({n, 3, 8, 8}, at::kByte), at::tensor(labels, at::kLong), classes);
  };
  std::vector<std::int64_t> mixed(40), sorted(40);
  for (std::size_t i = 0; i < 40; ++i) mixed[i] = std::int64_t(i % 4), sorted[i] = std::int64_t(i / 10);
  CHECK(contains(message_of([&] { search.run(of(mixed, 4)); }),
                 "the images have 4 classes, the super-network 2"));
  CHECK(contains(message_of([&] { of(sorted, 4).halves(); }), "sorted by class. Mix it first"));
  CHECK(message_of([&] { of(mixed, 4).halves(); }) == "no error");
}

TEST_CASE("DA2S makes the super-network crisp, the control does not") {
  using space = darts<cn::edges_3_of_14>;
  const auto run = [](double strength) {
    auto options = quick(12);
    options.alpha_rate = options.beta_rate = 0.2;
    options.strength = strength;
    cn::supernet<space> net(small_options());
    cn::searcher search(net, options);
    for (const auto& epoch : search.run(easy(64))) CHECK(epoch.terms.size() == (strength == 0.0 ? 0 : 3));
    const auto edges = cn::edge_entropy(net.arch());
    return std::array{cn::op_entropy(net.arch()).item<double>(), edges.entropy.item<double>(),
                      edges.distance.item<double>()};
  };
  const cn::supernet<space> fresh(small_options());
  const double ops = cn::op_entropy(fresh.arch()).item<double>();
  const double edges = cn::edge_entropy(fresh.arch()).entropy.item<double>();
  const auto crisp = run(20.0);
  const auto control = run(0.0);
  CHECK(crisp[0] < 0.1 * ops);
  CHECK(crisp[1] < 0.2 * edges);
  CHECK(crisp[2] < 0.3);
  CHECK(control[0] > 2 * crisp[0]);
  CHECK(control[1] > 2 * crisp[1]);
}

TEST_CASE("presets say what is published") {
  const auto paper = cn::presets::paper();
  CHECK(paper.epochs == 50);
  CHECK(paper.batch_size == 64);
  CHECK(paper.weight_rate == 0.025);
  CHECK(paper.last_weight_rate == 0.0);
  CHECK(paper.momentum == 0.9);
  CHECK(paper.weight_decay == 3e-4);
  CHECK(paper.clip == 5.0);
  CHECK(paper.alpha_rate == 3e-4);
  CHECK(paper.beta_rate == 3e-4);
  CHECK(paper.adam_beta1 == 0.5);
  CHECK(paper.adam_beta2 == 0.999);
  CHECK(paper.arch_decay == 1e-3);
  CHECK(paper.alpha_warmup == 0.0);
  CHECK(paper.beta_warmup == 0.0);
  CHECK(paper.strength == 1.0);
  CHECK(paper.order == cn::search_order::first);
  CHECK(paper.augment.crop_padding == 4);
  CHECK(paper.augment.flip);
  CHECK(paper.augment.cutout == 0);
  const auto code = cn::presets::authors_code();
  CHECK(code.epochs == 50);
  CHECK(code.batch_size == 64);
  CHECK(code.weight_rate == 0.025);
  CHECK(code.alpha_rate == 3e-4);
  CHECK(code.beta_rate == 3e-4);
  CHECK(code.last_weight_rate == 0.001);
  CHECK(std::lround(code.alpha_warmup * 50) == 8);
  CHECK(code.beta_warmup == 0.0);
  CHECK(cn::rate_for_travel(19500) == doctest::Approx(3e-4).epsilon(1e-12));
}

}  // namespace search_test
