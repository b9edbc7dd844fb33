// Second order and single level beside first order: the unrolled gradient against the derivative of the
// unrolled loss, what may not move, and searches in every order by every method. The published code's
// unrolled gradient is in tests/parity.
#include <cmath>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/loss/separation.hpp>
#include <crispnas/search/searcher.hpp>
#include <string>

#include "files.hpp"
#include "support.hpp"

namespace order_test {

namespace cn = crispnas;

namespace {

// Types of their own keep the names of the tests short.
struct da2s : cn::spec<cn::darts_cell, cn::edges_4_of_14> {};
struct darts : cn::darts_spec<> {};
struct fair_darts : cn::fair_darts_spec<> {};
struct daas : cn::authors_code_spec {};
struct pc_darts : cn::pc_darts_spec<> {};
struct nas_bench_201 : cn::spec<cn::nas_bench_201_cell> {};

template <class Spec = da2s>
cn::supernet<Spec> small(cn::compute_path path = cn::compute_path::automatic) {
  return cn::supernet<Spec>(
      {.channels = 8, .cells = 3, .classes = 3, .seed = 4, .dtype = at::kDouble, .path = path});
}

cn::labelled_batch batch_of(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return {at::randn({6, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kDouble)),
          at::arange(6, at::kLong) % 3};
}

const cn::step_losses losses{&cn::regularizer_terms<cn::da2s<>>::at, 5, 9, 0.3};

struct optimizers {
  cn::sgd weights;
  cn::adam alpha;
  cn::adam beta;
  explicit optimizers(cn::any_supernet& net)
      : weights(net.weights(), {.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}),
        alpha(net.arch().alphas(), {.rate = 0.02}),
        beta(net.arch().betas(), {.rate = 0.02}) {}
  cn::step_optimizers step(bool train_alpha = true, bool train_beta = true) {
    return {weights, alpha, beta, 5.0, train_alpha, train_beta};
  }
};

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& all) {
  std::vector<at::Tensor> c;
  for (const auto& t : all) c.push_back(t.detach().clone());
  return c;
}
bool same(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!at::equal(a[i], b[i])) return false;
  }
  return a.size() == b.size();
}
std::vector<at::Tensor> searched_of(cn::any_supernet& net) {
  auto all = net.arch().alphas();
  all.insert(all.end(), net.arch().betas().begin(), net.arch().betas().end());
  return all;
}

}  // namespace

TEST_CASE("the unrolled gradient is the derivative of the unrolled loss") {
  auto net = small(cn::compute_path::stock);
  optimizers all(net);
  cn::step_result result;
  net.train();
  cn::weight_step(net, net.arch().fixed_weights(), all.weights, 5.0, batch_of(7),
                  result);  // velocities that are not zero
  const auto train = batch_of(1);
  const auto arch = batch_of(2);
  const auto ours = cn::unrolled_gradients(net, losses, all.step(), train, arch, result);
  const auto fine = cn::unrolled_gradients(net, losses, all.step(), train, arch, result, 1e-5);

  const auto searched = searched_of(net);
  const auto weights = net.weights();
  const auto start = copies(searched);
  const auto old_weights = copies(weights);
  auto generator = at::detail::createCPUGenerator(11);
  std::vector<at::Tensor> direction;
  for (const auto& s : searched)
    direction.push_back(at::randn(s.sizes(), generator, s.options().requires_grad(false)));
  // The loss one step ahead, alpha and beta moved by `distance` along the direction; and its gradient with
  // that step held.
  std::vector<at::Tensor> held;
  const auto unrolled_loss = [&](double distance) {
    {
      at::NoGradGuard no_grad;
      for (std::size_t i = 0; i < searched.size(); ++i)
        at::Tensor(searched[i]).copy_(start[i] + distance * direction[i]);
    }
    const at::Tensor lower = at::cross_entropy_loss(net.forward(train.images), train.labels);
    const auto g = torch::autograd::grad({lower}, weights, {}, {}, false, true);
    {
      at::NoGradGuard no_grad;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const at::Tensor slope = g[i].defined() ? g[i] : at::zeros_like(weights[i]);
        at::Tensor(weights[i]).sub_(0.1 * (0.9 * all.weights.velocity()[i] + slope + 0.01 * weights[i]));
      }
    }
    const at::Tensor upper = cn::architecture_loss(net, losses, arch, result);
    if (distance == 0.0) held = torch::autograd::grad({upper}, searched);
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < weights.size(); ++i) at::Tensor(weights[i]).copy_(old_weights[i]);
    return upper.item<double>();
  };
  const auto along = [&](const std::vector<at::Tensor>& gradient) {
    double sum = 0.0;
    for (std::size_t i = 0; i < gradient.size(); ++i)
      sum += (gradient[i] * direction[i]).sum().item<double>();
    return sum;
  };
  unrolled_loss(0.0);
  constexpr double h = 1e-6;
  const double numeric = (unrolled_loss(h) - unrolled_loss(-h)) / (2 * h);
  const double correction = numeric - along(held);  // what second order is about
  CAPTURE(numeric);
  CAPTURE(along(held));
  CAPTURE(along(ours));
  CAPTURE(along(fine));
  CHECK(std::abs(correction) > 0.1 * std::abs(numeric));
  CHECK(std::abs(along(fine) - numeric) < 1e-4 * std::abs(correction));
  // DARTS's radius is so wide that ReLUs and pools switch inside of it: the direction is right, the digits
  // are not.
  CHECK(std::abs(along(ours) - numeric) < 0.1 * std::abs(correction));
}

TEST_CASE("second order: the two levels as they are, statistics those of the weight step alone") {
  for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
    auto net = small(path);
    auto manual = small(path);
    optimizers all(net);
    optimizers by_hand(manual);
    for (int step = 0; step < 2; ++step) {
      const auto train = batch_of(10 + std::uint64_t(step));
      const auto arch = batch_of(20 + std::uint64_t(step));
      const auto result = cn::search_step(net, losses, all.step(), train, arch, cn::search_order::second);
      manual.train();
      cn::step_result expected;
      const auto g = cn::unrolled_gradients(manual, losses, by_hand.step(), train, arch, expected);
      by_hand.alpha.step({g[0], g[1]});
      by_hand.beta.step({g[2], g[3]});
      cn::weight_step(manual, manual.arch().fixed_weights(), by_hand.weights, 5.0, train, expected);
      CHECK(same(searched_of(net), searched_of(manual)));
      CHECK(same(net.weights(), manual.weights()));
      CHECK(same(net.buffers(), manual.buffers()));
      CHECK(result.arch_loss.item<double>() == expected.arch_loss.item<double>());
      CHECK(!result.arch_loss.requires_grad());
      CHECK(result.terms.size() == 3);
    }
  }
  // In a full warm-up it is a weight step.
  auto net = small();
  auto manual = small();
  optimizers all(net);
  optimizers by_hand(manual);
  const auto before = copies(searched_of(net));
  cn::second_order_step(net, losses, all.step(false, false), batch_of(1), batch_of(2));
  cn::step_result expected;
  manual.train();
  cn::weight_step(manual, manual.arch().fixed_weights(), by_hand.weights, 5.0, batch_of(1), expected);
  CHECK(same(before, searched_of(net)));
  CHECK(same(net.weights(), manual.weights()));
  CHECK(same(net.buffers(), manual.buffers()));
}

TEST_CASE("second order puts everything back when a batch is bad") {
  auto net = small();
  optimizers all(net);
  net.train();
  const auto weights = copies(net.weights());
  const auto statistics = copies(net.buffers());
  cn::step_result result;
  const cn::labelled_batch bad{at::zeros({2, 3, 7, 7}, at::kDouble), at::zeros({2}, at::kLong)};
  for (const auto& [train, arch] : {std::pair(batch_of(1), bad), std::pair(bad, batch_of(1))}) {
    CHECK_SAYS(tests::message_of([&, &train = train, &arch = arch] {
                 cn::unrolled_gradients(net, {}, all.step(), train, arch, result);
               }),
               "7 x 7");
    CHECK(same(weights, net.weights()));
    CHECK(same(statistics, net.buffers()));
    for (const auto& w : net.weights()) CHECK(w.requires_grad());
  }
  net.forward(batch_of(1).images);
  CHECK(!same(statistics, net.buffers()));  // they move again
}

TEST_CASE("single level: one loss, one pass, all three learn") {
  for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
    auto net = small(path);
    auto manual = small(path);
    optimizers all(net);
    optimizers by_hand(manual);
    const auto first = batch_of(1);
    const auto second = batch_of(2);
    const auto result =
        cn::search_step(net, losses, all.step(), first, second, cn::search_order::single_level);

    manual.train();
    const at::Tensor images = at::cat({first.images, second.images});
    const at::Tensor labels = at::cat({first.labels, second.labels});
    const at::Tensor logits = manual.forward(images);
    const at::Tensor classify = at::cross_entropy_loss(logits, labels);
    const at::Tensor extra = cn::weighted_sum(cn::regularizer_terms<cn::da2s<>>::at(manual.arch(), 5, 9));
    auto of_weights = torch::autograd::grad({classify}, manual.weights(), {}, true, false, true);
    for (std::size_t i = 0; i < of_weights.size(); ++i) {
      if (!of_weights[i].defined()) of_weights[i] = at::zeros_like(manual.weights()[i]);
    }
    const auto of_searched = torch::autograd::grad({classify + 0.3 * extra}, searched_of(manual));
    cn::clip_gradients(of_weights, 5.0);
    by_hand.weights.step(of_weights);
    by_hand.alpha.step({of_searched[0], of_searched[1]});
    by_hand.beta.step({of_searched[2], of_searched[3]});
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(test::difference(searched_of(net)[i], searched_of(manual)[i]) < 1e-10);
    for (std::size_t i = 0; i < of_weights.size(); ++i) {
      REQUIRE(test::difference(net.weights()[i], manual.weights()[i]) < 1e-10);
    }
    CHECK(same(net.buffers(), manual.buffers()));
    CHECK(result.weight_loss.item<double>() == doctest::Approx(classify.item<double>()).epsilon(1e-12));
    CHECK(result.correct.item<std::int64_t>() == (logits.argmax(1) == labels).sum().item<std::int64_t>());
  }
}

TEST_CASE_TEMPLATE("a search in every order, by every method", Spec, da2s, darts, pc_darts, nas_bench_201,
                   fair_darts, daas) {
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor labels = at::arange(32, at::kLong) % 2;
  const at::Tensor noise =
      at::randint(0, 100, {32, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kLong));
  const cn::labelled_images data((noise + labels.view({32, 1, 1, 1}) * 120).to(at::kByte), labels, 2);
  std::vector<at::Tensor> alphas;
  for (auto order : {cn::search_order::first, cn::search_order::second, cn::search_order::single_level}) {
    cn::search_options options;
    options.epochs = 3;
    options.batch_size = 8;
    options.order = order;
    options.augment = {.crop_padding = 1, .flip = true, .cutout = 0};
    cn::supernet<Spec> net({.channels = 8, .cells = 1, .classes = 2, .seed = 1, .dtype = at::kDouble});
    cn::searcher search(net, options);
    std::vector<cn::epoch_report> reports;
    for (const auto& epoch : search.run(data)) reports.push_back(epoch);
    REQUIRE(reports.size() == 3);
    CHECK(reports.back().train_loss < reports.front().train_loss);
    CHECK(std::isfinite(reports.back().arch_loss));
    CHECK(reports.back().train_accuracy <= 100.0);
    alphas.push_back(net.arch().alphas().back().detach().clone());  // a single stacked cell reduces
  }
  CHECK(test::difference(alphas[0], alphas[1]) > 1e-9);
  CHECK(test::difference(alphas[0], alphas[2]) > 1e-9);
  CHECK(test::difference(alphas[1], alphas[2]) > 1e-9);
}

TEST_CASE("every order on meta tensors") {
  cn::supernet<da2s> net({.channels = 8, .cells = 3, .classes = 3, .device = at::kMeta});
  optimizers all(net);
  const cn::labelled_batch batch{at::empty({6, 3, 8, 8}, at::kMeta),
                                 at::empty({6}, at::TensorOptions(at::kMeta).dtype(at::kLong))};
  for (auto order : {cn::search_order::first, cn::search_order::second, cn::search_order::single_level}) {
    const auto result = cn::search_step(net, losses, all.step(), batch, batch, order);
    CHECK(result.weight_loss.is_meta());
    CHECK(result.arch_loss.is_meta());
  }
}

}  // namespace order_test
