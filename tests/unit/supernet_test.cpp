// The super-network: published sizes and names, what cells compute, how alpha and beta become weights, and
// bad options.
#include <algorithm>
#include <array>
#include <cmath>
#include <crispnas/genotype/count.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/search/bilevel.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "support.hpp"

namespace supernet_test {

namespace cn = crispnas;
using test::contains;
using test::message_of;

namespace {

template <class... P>
using darts = cn::spec<cn::darts_cell, P...>;
using nb201 = cn::spec<cn::nas_bench_201_cell>;

at::Tensor images(std::int64_t n, std::int64_t size = 8, std::int64_t channels = 3) {
  return at::randn({n, channels, size, size}, at::detail::createCPUGenerator(5),
                   at::TensorOptions().dtype(at::kDouble));
}

cn::supernet_options small_options(cn::compute_path path = cn::compute_path::stock) {
  return {.channels = 8,
          .cells = 3,
          .classes = 4,
          .seed = 3,
          .dtype = at::kDouble,
          .noise = {0.5, 0.3},
          .path = path};
}

at::Tensor parameter(const cn::any_supernet& net, const std::string& name) {
  const auto all = net.named_parameters();
  REQUIRE_MESSAGE(all.contains(name), name);
  return all[name];
}

at::Tensor normed(const at::Tensor& x) { return at::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false); }

/// The second implementation of cells, with torch's functions and weights read by their published names.
struct reference {
  const cn::any_supernet& net;
  int channels;
  at::Tensor get(const std::string& name) const { return parameter(net, name); }

  at::Tensor depthwise(const std::string& at_, int first, const at::Tensor& x, int kernel, int stride,
                       int dilation) const {
    const at::Tensor w = get(at_ + std::to_string(first) + ".weight");
    const std::int64_t padding = dilation * (kernel - 1) / 2;
    CHECK(w.size(2) == kernel);
    const at::Tensor d =
        at::conv2d(at::relu(x), w, {}, {stride, stride}, {padding, padding}, {dilation, dilation}, x.size(1));
    return normed(at::conv2d(d, get(at_ + std::to_string(first + 1) + ".weight")));
  }
  at::Tensor reduce(const std::string& at_, const at::Tensor& x) const {
    const at::Tensor r = at::relu(x);
    const at::Tensor even = r.slice(2, 0, {}, 2).slice(3, 0, {}, 2);
    const at::Tensor odd = r.slice(2, 1, {}, 2).slice(3, 1, {}, 2);
    return normed(at::cat(
        {at::conv2d(even, get(at_ + "conv_1.weight")), at::conv2d(odd, get(at_ + "conv_2.weight"))}, 1));
  }
  /// The paper's seven ops in order.
  std::vector<at::Tensor> ops(const std::string& at_, const at::Tensor& x, int stride) const {
    const auto op = [&](int o) { return at_ + std::to_string(o) + "."; };
    std::vector<at::Tensor> y;
    y.push_back(normed(at::max_pool2d(x, {3, 3}, {stride, stride}, {1, 1})));
    y.push_back(normed(at::avg_pool2d(x, {3, 3}, {stride, stride}, {1, 1}, false, false)));
    y.push_back(stride == 1 ? x : reduce(op(2), x));
    for (int o : {3, 4}) {
      const int kernel = o == 3 ? 3 : 5;
      y.push_back(
          depthwise(op(o) + "op.", 5, depthwise(op(o) + "op.", 1, x, kernel, stride, 1), kernel, 1, 1));
    }
    for (int o : {5, 6}) y.push_back(depthwise(op(o) + "op.", 1, x, o == 5 ? 3 : 5, stride, 2));
    return y;
  }
  at::Tensor edge(const std::string& at_, const at::Tensor& x, const at::Tensor& weights, int stride,
                  int partial) const {
    const auto seen = x.size(1) / partial;
    const auto all = ops(at_ + "_ops.", x.slice(1, 0, seen), stride);
    at::Tensor sum = at::zeros_like(all[0]);
    for (std::size_t o = 0; o < all.size(); ++o) sum = sum + all[o] * weights[std::int64_t(o)];
    if (partial == 1) return sum;
    at::Tensor rest = x.slice(1, seen);
    if (stride == 2) rest = at::max_pool2d(rest, {2, 2}, {2, 2});
    const at::Tensor y = at::cat({sum, rest}, 1);
    std::vector<at::Tensor> mixed;  // channel c of group g goes to c * K + g
    for (std::int64_t c = 0; c < seen; ++c) {
      for (std::int64_t g = 0; g < partial; ++g) mixed.push_back(y.select(1, g * seen + c));
    }
    return at::stack(mixed, 1);
  }
  at::Tensor cell(int index, const at::Tensor& older, const at::Tensor& newer, const cn::cell_weights& w,
                  bool reduces, bool after_reduction, int partial, const cn::cell_table& table) const {
    const std::string at_ = "cells." + std::to_string(index) + ".";
    std::vector<at::Tensor> s;
    s.push_back(after_reduction ? reduce(at_ + "preprocess0.", older)
                                : normed(at::conv2d(at::relu(older), get(at_ + "preprocess0.op.1.weight"))));
    s.push_back(normed(at::conv2d(at::relu(newer), get(at_ + "preprocess1.op.1.weight"))));
    int e = 0;
    for (int to = 2; to < 6; ++to) {
      at::Tensor sum;
      for (int from = 0; from < to; ++from, ++e) {
        if (!table.has(std::size_t(e))) continue;
        at::Tensor y = edge(at_ + "_ops." + std::to_string(e) + ".", s[std::size_t(from)], w.ops[e],
                            reduces && from < 2 ? 2 : 1, partial);
        if (w.edges.defined()) y = y * w.edges[e];
        sum = sum.defined() ? sum + y : y;
      }
      s.push_back(sum);
    }
    return at::cat({s[2], s[3], s[4], s[5]}, 1);
  }
  at::Tensor logits(const at::Tensor& x, int partial) const {
    const auto weights = net.arch().fixed_weights();
    const at::Tensor stem =
        at::batch_norm(at::conv2d(x, get("stem.0.weight"), {}, {1, 1}, {1, 1}), get("stem.1.weight"),
                       get("stem.1.bias"), {}, {}, true, 0.1, 1e-5, false);
    at::Tensor older = stem;
    at::Tensor newer = stem;
    bool after = false;
    for (int i = 0; i < 3; ++i) {  // cells at 1/3 and 2/3 reduce
      const bool reduces = i >= 1;
      const at::Tensor next = cell(i, older, newer, weights[reduces ? 1 : 0], reduces, after, partial,
                                   net.space().cell(reduces ? 1 : 0));
      older = newer;
      newer = next;
      after = reduces;
    }
    return at::linear(newer.mean({2, 3}), get("classifier.weight"), get("classifier.bias"));
  }
};

/// A user's op: twice its input.
struct twice {
  static constexpr std::string_view name = "twice";
  class module final : public cn::nn::layer {
   public:
    explicit module(int stride) : stride_(stride) {}
    at::Tensor forward(const at::Tensor& x) override {
      return 2.0 * x.slice(2, 0, {}, stride_).slice(3, 0, {}, stride_);
    }

   private:
    int stride_;
  };
  static cn::nn::layer_ptr make(const cn::nn::op_context& c) { return std::make_shared<module>(c.stride); }
};
using only_twice = cn::dense_cell<2, 1, cn::op_set<twice>>;

}  // namespace

TEST_CASE("parameter counts at C = 16, 8 cells") {
  CHECK(cn::supernet<darts<cn::edges_8_of_14>>({.channels = 16, .cells = 8}).weight_count() == 299578);
  CHECK(cn::supernet<darts<cn::partial_channels<1>>>({.channels = 16, .cells = 8}).weight_count() == 1930618);
}

TEST_CASE("what is counted at compile time is what is built") {
  const auto same = [](auto spec, cn::supernet_sizes s) {
    using Spec = decltype(spec);
    CAPTURE(s.cells);
    const cn::supernet<Spec> net(
        {.channels = s.channels, .cells = s.cells, .classes = s.classes, .image_channels = s.image_channels});
    CHECK(net.weight_count() == cn::count_supernet<Spec>(s).parameters());
  };
  for (int cells : {1, 2, 3, 5}) {
    same(darts<cn::edges_3_of_14>{}, {.channels = 8, .cells = cells, .classes = 7, .image_channels = 1});
    same(darts<cn::edges_8_of_14, cn::partial_channels<2>>{},
         {.channels = 12, .cells = cells, .classes = 100});
    same(nb201{}, {.channels = 4, .cells = cells, .classes = 3});
  }
  same(cn::spec<cn::dense_cell<
           2, 5, cn::op_set<cn::ops::sep_conv_7x7, cn::ops::conv_7x1_1x7, cn::ops::skip_connect>>>{},
       {.channels = 8, .cells = 6});
  same(cn::spec<cn::dense_cell<1, 2, cn::op_set<cn::ops::nor_conv_1x1, cn::ops::nor_conv_3x3>>,
                cn::partial_channels<1>>{},
       {.channels = 6, .cells = 4});
}

TEST_CASE("conv_7x1_1x7: ReLU, 1x7 with the stride of columns, 7x1 with the stride of rows, batch norm") {
  const cn::nn::init_context init{at::detail::createCPUGenerator(3), at::kCPU, at::kDouble};
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor x = at::randn({3, 4, 9, 8}, generator, at::TensorOptions().dtype(at::kDouble));
  using dims = std::vector<std::int64_t>;
  for (std::int64_t stride : {1, 2}) {
    const auto op = cn::nn::op_builder<cn::ops::conv_7x1_1x7>::make(
        {.init = init, .channels = 4, .stride = int(stride), .affine = false, .normalized_pools = false});
    op->train();
    std::vector<at::Tensor> w;
    for (const auto& p : op->parameters()) w.push_back(p);
    REQUIRE(w.size() == 2);
    CHECK(w[0].sizes() == at::IntArrayRef({4, 4, 1, 7}));
    CHECK(w[1].sizes() == at::IntArrayRef({4, 4, 7, 1}));
    const at::Tensor rows = at::conv2d(x.relu(), w[0], {}, dims{1, stride}, dims{0, 3});
    const at::Tensor both = at::conv2d(rows, w[1], {}, dims{stride, 1}, dims{3, 0});
    const at::Tensor mean = both.mean({0, 2, 3}, true);
    const at::Tensor variance = (both - mean).square().mean({0, 2, 3}, true);
    CHECK(test::difference(op->forward(x), (both - mean) / (variance + 1e-5).sqrt()) < 1e-12);
  }
}

TEST_CASE("published parameter names and shapes, alpha and beta are not among the weights") {
  cn::supernet<darts<>> net({.channels = 16, .cells = 3});
  const auto shape = [&](const std::string& name) { return parameter(net, name).sizes().vec(); };
  using dims = std::vector<std::int64_t>;
  CHECK(shape("stem.0.weight") == dims{48, 3, 3, 3});
  CHECK(shape("stem.1.bias") == dims{48});
  CHECK(shape("cells.0.preprocess0.op.1.weight") == dims{16, 48, 1, 1});
  CHECK(shape("cells.0._ops.3._ops.4.op.1.weight") == dims{4, 1, 5, 5});
  CHECK(shape("cells.0._ops.3._ops.4.op.6.weight") == dims{4, 4, 1, 1});
  CHECK(shape("cells.0._ops.13._ops.6.op.2.weight") == dims{4, 4, 1, 1});
  CHECK(shape("cells.1._ops.0._ops.2.conv_1.weight") == dims{4, 8, 1, 1});
  CHECK(shape("cells.2.preprocess0.conv_2.weight") == dims{32, 64, 1, 1});
  CHECK(shape("classifier.weight") == dims{10, 256});
  std::int64_t count = 0;
  for (const auto& w : net.weights()) {
    count += w.numel();
    for (const auto& [name, searched] : net.arch().named()) CHECK(!w.is_same(searched));
  }
  CHECK(count == net.weight_count());
  std::set<std::string> names;
  for (const auto& [name, t] : net.arch().named()) names.insert(name);
  CHECK(names == std::set<std::string>{"alphas_normal", "alphas_reduce", "betas_normal", "betas_reduce"});
  CHECK(net.arch().alpha(0).sizes().vec() == dims{14, 7});
  CHECK(net.arch().beta(1).sizes().vec() == dims{14});
}

TEST_CASE("channel shuffle by hand") {
  const at::Tensor x = at::arange(8, at::kDouble).view({1, 8, 1, 1});
  CHECK(test::numbers(cn::nn::channel_shuffle(x, 4)) == std::vector<double>{0, 2, 4, 6, 1, 3, 5, 7});
  CHECK(test::numbers(cn::nn::channel_shuffle(x, 2)) == std::vector<double>{0, 4, 1, 5, 2, 6, 3, 7});
  const at::Tensor wide = at::arange(24, at::kDouble).view({1, 4, 2, 3});
  const at::Tensor shuffled = cn::nn::channel_shuffle(wide, 2);
  REQUIRE(shuffled.sizes().vec() == std::vector<std::int64_t>{1, 4, 2, 3});
  for (std::int64_t c = 0; c < 4; ++c) {
    CHECK(at::equal(shuffled.select(1, c), wide.select(1, c / 2 + c % 2 * 2)));
  }
}

TEST_CASE("a mixed operation of which nothing is left passes the other channels by") {
  cn::supernet<darts<cn::partial_channels<2>>> net(small_options());
  const auto places = net.named_modules("", false);
  const auto find = [&](const std::string& name) {
    return std::dynamic_pointer_cast<cn::nn::mixed_op>(places[name]);
  };
  const at::Tensor x =
      at::randn({3, 8, 6, 4}, at::detail::createCPUGenerator(2), at::TensorOptions().dtype(at::kDouble));
  const std::vector<char> nothing(7, 0);
  const auto normal = find("cells.0._ops.0");
  REQUIRE(normal);
  const at::Tensor y = normal->forward(x, at::zeros({7}, at::kDouble), nothing);
  REQUIRE(y.sizes() == x.sizes());
  for (std::int64_t c = 0; c < 4; ++c) {
    CHECK(test::largest(y.select(1, 2 * c)) == 0);
    CHECK(at::equal(y.select(1, 2 * c + 1), x.select(1, 4 + c)));
  }
}

TEST_CASE("the authors' alpha by hand") {
  const at::Tensor alpha = test::doubles({-1.0, -0.6, -0.5, -0.25, 0.5, 1.5});
  const at::Tensor wanted = test::doubles({-8.0, -1.728, -1.0, -0.5, 1.0, 3.0});
  CHECK(test::difference(cn::authors_alpha(alpha), wanted) < 1e-14);
  const at::Tensor weights = cn::op_weights(cn::table_v<cn::authors_code_spec>, alpha.view({1, 6}));
  CHECK(test::difference(weights, at::softmax(wanted.view({1, 6}), 1)) < 1e-14);
}

TEST_CASE("logits and every gradient equal those of a second implementation") {
  const auto check = [](auto spec, int partial, cn::compute_path path) {
    cn::supernet<decltype(spec)> net(small_options(path));
    net.train();
    const at::Tensor x = images(4);
    const at::Tensor logits = net.forward(x, net.arch().fixed_weights());
    const at::Tensor wanted = reference{net, 8}.logits(x, partial);
    CHECK(test::difference(logits, wanted) < 1e-11 * test::largest(wanted));
    const auto ours = torch::autograd::grad({logits.square().sum()}, net.weights(), {}, {}, false, true);
    const auto theirs = torch::autograd::grad({wanted.square().sum()}, net.weights(), {}, {}, false, true);
    double worst = 0.0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      REQUIRE(ours[i].defined() == theirs[i].defined());
      if (ours[i].defined()) {
        worst = std::max(worst, test::difference(ours[i], theirs[i]) / (1.0 + test::largest(theirs[i])));
      }
    }
    CHECK(worst < 1e-11);
  };
  for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
    check(darts<cn::edges_8_of_14>{}, 4, path);
    check(darts<cn::edges_3_of_14>{}, 4, path);
    check(darts<cn::edges_5_of_14, cn::partial_channels<1>>{}, 1, path);
  }
}

TEST_CASE("ops without a fused form join the kernels' ops in the nodes") {
  const auto check = [](auto spec, bool training, bool cut) {
    using supernet = cn::supernet<decltype(spec)>;
    supernet ours(small_options(cn::compute_path::automatic));
    supernet stock(small_options(cn::compute_path::stock));
    REQUIRE(ours.is_fused());
    const at::Tensor x = images(5);
    for (auto* net : {&ours, &stock}) {
      net->train();
      net->forward(x, net->arch().fixed_weights());  // moves the running statistics
      net->train(training);
    }
    const auto run = [&](supernet& net) {
      auto weights = net.arch().weights();
      if (cut) {  // of every edge one op stays, of the edges two of three
        for (auto& of_cell : weights) {
          const auto edges = of_cell.ops.size(0);
          const auto ops = of_cell.ops.size(1);
          of_cell.used.assign(std::size_t(edges * ops), 0);
          for (std::int64_t e = 0; e < edges; ++e) {
            if (e % 3 != 0) of_cell.used[std::size_t(e * ops + e % ops)] = 1;
          }
          const at::Tensor mask =
              at::tensor(std::vector<double>(of_cell.used.begin(), of_cell.used.end()), at::kDouble);
          of_cell.ops = of_cell.ops * mask.view({edges, ops});
        }
      }
      const at::Tensor logits = net.forward(x, weights);
      std::vector<at::Tensor> leaves = net.weights();
      for (const auto& [name, value] : net.arch().named()) leaves.push_back(value);
      auto all = torch::autograd::grad({logits.square().sum()}, leaves, {}, {}, false, true);
      all.push_back(logits.detach());
      return all;
    };
    const auto got = run(ours);
    const auto wanted = run(stock);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      INFO("leaf ", i, " of ", wanted.size());
      // A gradient of zeros is none of ours to write down.
      if (!got[i].defined()) {
        CHECK((!wanted[i].defined() || test::largest(wanted[i]) == 0));
      } else if (!wanted[i].defined()) {
        CHECK(test::largest(got[i]) == 0);
      } else {
        CHECK(test::difference(got[i], wanted[i]) < 1e-11 * (1.0 + test::largest(wanted[i])));
      }
    }
  };
  using mixed = cn::op_set<cn::ops::max_pool_3x3, cn::ops::conv_7x1_1x7, cn::ops::skip_connect,
                           cn::ops::sep_conv_3x3, cn::ops::nor_conv_3x3>;
  using cell = cn::dense_cell<2, 3, mixed>;
  for (const bool training : {true, false}) {
    for (const bool cut : {false, true}) {
      CAPTURE(training);
      CAPTURE(cut);
      check(cn::spec<cell, cn::partial_channels<1>>{}, training, cut);
      check(cn::spec<cell, cn::partial_channels<4>>{}, training, cut);
      check(cn::darts_spec<cell, cn::partial_channels<2>>{}, training, cut);
    }
  }
}

TEST_CASE("a plan of another spec is refused") {
  const auto build = [](auto of, auto plan_of) {
    using spec = decltype(of);
    cn::any_supernet net(cn::table_v<spec>, cn::nn::detail::factories<typename spec::ops>::table,
                         cn::kernels::plan_v<decltype(plan_of)>, small_options(cn::compute_path::fused));
    return net.is_fused();
  };
  CHECK(build(darts<>{}, darts<cn::edges_5_of_14>{}));  // the same edges and ops
  const auto refused = [&](auto of, auto plan_of) {
    return contains(message_of([&] { build(of, plan_of); }), "plan");
  };
  CHECK(refused(darts<cn::edges_3_of_14>{}, darts<>{}));  // an edge that does not exist
  CHECK(refused(darts<>{}, darts<cn::edges_3_of_14>{}));  // an edge that the plan leaves out
  using pools = cn::op_set<cn::ops::max_pool_3x3, cn::ops::avg_pool_3x3, cn::ops::sep_conv_3x3>;
  using exchanged = cn::op_set<cn::ops::avg_pool_3x3, cn::ops::max_pool_3x3, cn::ops::sep_conv_3x3>;
  using dilated = cn::op_set<cn::ops::max_pool_3x3, cn::ops::avg_pool_3x3, cn::ops::dil_conv_3x3>;
  CHECK(build(cn::spec<cn::dense_cell<2, 2, pools>>{}, cn::spec<cn::dense_cell<2, 2, pools>>{}));
  CHECK(refused(cn::spec<cn::dense_cell<2, 2, pools>>{}, cn::spec<cn::dense_cell<2, 2, exchanged>>{}));
  CHECK(refused(cn::spec<cn::dense_cell<2, 2, dilated>>{}, cn::spec<cn::dense_cell<2, 2, pools>>{}));
  CHECK(refused(darts<>{}, nb201{}));
  CHECK(refused(nb201{}, darts<>{}));
  CHECK(refused(cn::spec<cn::dense_cell<2, 2, cn::darts_ops>>{}, darts<>{}));
  CHECK(refused(darts<>{}, cn::spec<cn::darts_cell_with_none>{}));
}

TEST_CASE("without any op that has a fused form there is nothing for the kernels") {
  using foreign = cn::spec<cn::dense_cell<2, 2, cn::op_set<cn::ops::skip_connect, cn::ops::conv_7x1_1x7>>>;
  CHECK(cn::supernet<foreign>(small_options(cn::compute_path::automatic)).is_fused());  // its stride-2 skip
  using residual = cn::spec<cn::dense_cell<1, 2, cn::op_set<cn::ops::skip_connect, cn::ops::conv_7x1_1x7>,
                                           cn::cell_output::last, cn::skeleton::residual_stages>>;
  CHECK(!cn::supernet<residual>(small_options(cn::compute_path::automatic)).is_fused());
  CHECK(contains(message_of([] { cn::supernet<residual> net(small_options(cn::compute_path::fused)); }),
                 "an op that has a fused form"));
}

namespace {

using network = std::shared_ptr<cn::any_supernet>;
using maker = network (*)(const cn::supernet_options&);

template <class Spec>
network make(const cn::supernet_options& options) {
  return std::make_shared<cn::supernet<Spec>>(options);
}

std::vector<at::Tensor> arch_of(cn::any_supernet& net) {
  std::vector<at::Tensor> arch;
  for (const auto& [name, value] : net.arch().named()) arch.push_back(value);
  return arch;
}

/// Errors of logits, gradients of weights, gradients of alpha and beta in float32 beside float64: ours by LibTorch's.
std::array<double, 3> float_error_ratios(maker made, cn::supernet_options options, const at::Tensor& x) {
  struct results {
    at::Tensor logits, weights, arch;
  };
  const auto run = [](cn::any_supernet& net, const at::Tensor& images) {
    net.train();
    const at::Tensor logits = net.forward(images);
    const at::Tensor loss = at::cross_entropy_loss(logits, at::arange(images.size(0)) % 10);
    const auto flat = [&](const std::vector<at::Tensor>& leaves) {
      std::vector<at::Tensor> all{at::zeros({0}, at::kDouble)};
      for (const auto& g : torch::autograd::grad({loss}, leaves, {}, true, false, true)) {
        if (g.defined()) all.push_back(g.to(at::kDouble).flatten());
      }
      return at::cat(all);
    };
    return results{logits.detach().to(at::kDouble), flat(net.weights()), flat(arch_of(net))};
  };
  options.dtype = at::kDouble;
  options.path = cn::compute_path::stock;
  const network exact = made(options);
  const auto state = cn::published_state(*exact);
  for (const auto& [name, value] : state) {  // the numbers of all three are float32's
    if (at::isFloatingType(value.scalar_type())) value.detach().copy_(value.detach().to(at::kFloat));
  }
  const results wanted = run(*exact, x.to(at::kDouble));
  options.dtype = at::kFloat;
  const auto errors_of = [&](cn::compute_path path) {
    options.path = path;
    const network net = made(options);
    const auto own = cn::published_state(*net);
    REQUIRE(own.size() == state.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      REQUIRE(own[i].first == state[i].first);
      own[i].second.detach().copy_(state[i].second);
    }
    const results got = run(*net, x);
    const auto error = [](const at::Tensor& a, const at::Tensor& b) {
      return (a - b).norm().template item<double>();
    };
    return std::array{error(got.logits, wanted.logits), error(got.weights, wanted.weights),
                      error(got.arch, wanted.arch)};
  };
  auto ours = errors_of(cn::compute_path::fused);
  const auto stock = errors_of(cn::compute_path::stock);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(stock[i] > 0);
    ours[i] /= stock[i];
    REQUIRE(std::isfinite(ours[i]));
  }
  return ours;
}

/// Rounding is compared over whole networks, in the Euclidean norm, and by the median of five of them: where it flips the sign of
/// a ReLU's input or the maximum of a pool, on either side, gradients jump, which is a matter of luck. Returns the medians.
std::array<double, 3> median_error_ratios(maker made, cn::supernet_options options, const at::Tensor& x) {
  std::array<std::array<double, 5>, 3> of_seeds{};
  for (std::size_t seed = 0; seed < 5; ++seed) {
    options.seed = seed;
    const auto of_seed = float_error_ratios(made, options, x);
    for (std::size_t i = 0; i < 3; ++i) of_seeds[i][seed] = of_seed[i];
  }
  std::array<double, 3> medians{};
  for (std::size_t i = 0; i < 3; ++i) {
    auto& values = of_seeds[i];
    INFO("ratios ", values[0], " ", values[1], " ", values[2], " ", values[3], " ", values[4]);
    std::sort(values.begin(), values.end());
    CHECK(values[2] <= 2);
    medians[i] = values[2];
  }
  return medians;
}

/// A number that the compiler draws: the answer to a question about a spec.
constexpr std::uint64_t drawn(std::uint64_t spec, std::uint64_t question, std::uint64_t below) {
  std::uint64_t v = spec * 1000 + question;
  for (int round = 0; round < 3; ++round) {  // splitmix64
    v += 0x9e3779b97f4a7c15;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9;
    v = (v ^ (v >> 27)) * 0x94d049bb133111eb;
    v ^= v >> 31;
  }
  return v % below;
}

template <class... Ops>
struct op_list {};
template <class Drawn, std::uint64_t Spec, class Done>
struct draw_ops;
template <std::uint64_t Spec, class... Done>
struct draw_ops<op_list<>, Spec, op_list<Done...>> {
  using type = cn::op_set<Done...>;
};
/// Each op with a half, but the separable convolution always.
template <class First, class... Rest, std::uint64_t Spec, class... Done>
struct draw_ops<op_list<First, Rest...>, Spec, op_list<Done...>> {
  static constexpr bool takes =
      std::is_same_v<First, cn::ops::sep_conv_3x3> || drawn(Spec, 100 + sizeof...(Rest), 2) == 0;
  using type = typename draw_ops<op_list<Rest...>, Spec,
                                 std::conditional_t<takes, op_list<Done..., First>, op_list<Done...>>>::type;
};
using any_op =
    op_list<cn::ops::none, cn::ops::max_pool_3x3, cn::ops::avg_pool_3x3, cn::ops::skip_connect,
            cn::ops::sep_conv_3x3, cn::ops::sep_conv_5x5, cn::ops::sep_conv_7x7, cn::ops::dil_conv_3x3,
            cn::ops::dil_conv_5x5, cn::ops::nor_conv_1x1, cn::ops::nor_conv_3x3, cn::ops::conv_7x1_1x7>;

/// A graph of 1 to 4 nodes that each read the state before them and every other one with three quarters.
template <std::uint64_t Spec>
struct drawn_cell {
  static constexpr bool residual = drawn(Spec, 0, 3) == 0;
  static constexpr int inputs = residual ? 1 : 2;
  static constexpr int nodes = 1 + int(drawn(Spec, 1, 4));
  static constexpr bool has(int from, int to) {
    return from == to - 1 || drawn(Spec, 10 + std::uint64_t(8 * from + to), 4) != 0;
  }
  static constexpr std::size_t count() {
    std::size_t n = 0;
    for (int to = inputs; to < inputs + nodes; ++to) {
      for (int from = 0; from < to; ++from) n += has(from, to) ? 1 : 0;
    }
    return n;
  }
  static constexpr auto draw_edges() {
    std::array<cn::edge, count()> all{};
    std::size_t n = 0;
    for (int to = inputs; to < inputs + nodes; ++to) {
      for (int from = 0; from < to; ++from) {
        if (has(from, to)) all[n++] = {from, to};
      }
    }
    return all;
  }
  static constexpr auto edges = draw_edges();
  using ops = typename draw_ops<any_op, Spec, op_list<>>::type;
  static constexpr auto output = residual ? cn::cell_output::last : cn::cell_output::concat;
  static constexpr auto layout = residual ? cn::skeleton::residual_stages : cn::skeleton::stacked;
};
template <std::uint64_t Spec>
using drawn_channels = cn::partial_channels<(1 << drawn(Spec, 2, 3))>;
template <std::uint64_t Spec>
using drawn_spec =
    std::conditional_t<drawn(Spec, 3, 2) == 0, cn::spec<drawn_cell<Spec>, drawn_channels<Spec>>,
                       cn::darts_spec<drawn_cell<Spec>, drawn_channels<Spec>>>;

/// Networks of specs that the compiler drew, each with images that can be halved twice, perhaps to odd sizes.
struct drawn_network {
  maker made;
  cn::supernet_options options;
  at::Tensor images;
};
template <std::uint64_t... Specs>
std::vector<drawn_network> draw_networks(std::integer_sequence<std::uint64_t, Specs...>) {
  const auto one = [](std::uint64_t spec, bool residual, maker made) {
    const auto size = [&](std::uint64_t question) { return 8 + 4 * std::int64_t(drawn(spec, question, 4)); };
    const std::vector<std::int64_t> shape{1 + std::int64_t(drawn(spec, 4, 6)), 3, size(5), size(6)};
    return drawn_network{made,
                         {.channels = 8 << drawn(spec, 7, 2),
                          .cells = residual ? 1 : 2 + int(drawn(spec, 8, 3)),
                          .seed = spec,
                          .noise = {0.5, 0.3}},
                         at::randn(shape, at::detail::createCPUGenerator(spec))};
  };
  return {one(Specs, drawn_cell<Specs>::residual, &make<drawn_spec<Specs>>)...};
}
#if defined(CRISPNAS_WATCHED_ADDRESSES)
constexpr int drawn_count = 8;  // each takes many times as long
#else
constexpr int drawn_count = 24;
#endif
std::vector<drawn_network> drawn_networks() {
  return draw_networks(std::make_integer_sequence<std::uint64_t, drawn_count>{});
}

void check_rounding(maker made, int cells, std::int64_t batch, std::int64_t height, std::int64_t width) {
  const test::one_thread quick;
  median_error_ratios(made, {.cells = cells, .noise = {0.5, 0.3}},
                      at::randn({batch, 3, height, width}, at::detail::createCPUGenerator(7)));
}

}  // namespace

TEST_CASE("float32: the kernels err at most twice as much as LibTorch's operations") {
  check_rounding(make<darts<>>, 3, 1, 20, 12);
  if (test::watched) return;  // by a minute
  check_rounding(make<nb201>, 1, 4, 8, 8);
}

TEST_SUITE("slow") {
  TEST_CASE("float32: of other networks, too, the kernels err at most twice as much") {
    check_rounding(make<darts<>>, 3, 4, 16, 16);
    check_rounding(make<darts<cn::edges_3_of_14>>, 4, 5, 8, 12);
    check_rounding(make<darts<cn::partial_channels<1>>>, 3, 4, 8, 8);
    check_rounding(make<darts<cn::edges_5_of_14, cn::partial_channels<2>>>, 3, 7, 12, 8);
    check_rounding(make<nb201>, 1, 3, 12, 20);
  }

  TEST_CASE("float32: of specs drawn at random, too, the kernels err at most twice as much") {
    std::array<double, 3> sum{}, worst{};
    const test::one_thread quick;
    auto networks = drawn_networks();
    networks.resize(drawn_count / 2);
    for (const auto& drawn : networks) {
      CAPTURE(drawn.options.seed);
      const auto medians = median_error_ratios(drawn.made, drawn.options, drawn.images);
      for (std::size_t i = 0; i < 3; ++i) {
        sum[i] += std::log(medians[i]);
        worst[i] = std::max(worst[i], medians[i]);
      }
    }
    for (std::size_t i = 0; i < 3; ++i) {
      MESSAGE("geometric mean ", std::exp(sum[i] / double(networks.size())), ", largest ", worst[i]);
    }
  }
}  // TEST_SUITE("slow")

TEST_CASE("float64: of specs drawn at random, kernels and LibTorch's operations agree") {
  const test::one_thread quick;
  constexpr double tolerance = 1e-11;  // relative to a tensor's largest element
  int residual = 0, odd = 0, with_stock_ops = 0, partial = 0, weighted = 0;
  double worst = 0;
  for (auto drawn : drawn_networks()) {
    CAPTURE(drawn.options.seed);
    drawn.options.dtype = at::kDouble;
    drawn.options.path = cn::compute_path::fused;
    const network ours = drawn.made(drawn.options);
    drawn.options.path = cn::compute_path::stock;
    const network stock = drawn.made(drawn.options);
    const auto& space = ours->space();
    const auto& names = space.op_names;
    residual += space.layout == cn::skeleton::residual_stages;
    odd += drawn.images.size(2) % 8 + drawn.images.size(3) % 8 > 0;  // after two halvings
    with_stock_ops += std::find(names.begin(), names.end(), "conv_7x1_1x7") != names.end();
    partial += space.partial > 1;
    weighted += space.has_edge_weights();
    for (const bool training : {true, false}) {
      CAPTURE(training);
      const auto run = [&](cn::any_supernet& net) {
        net.train(training);
        const at::Tensor logits = net.forward(drawn.images.to(at::kDouble));
        auto leaves = net.weights();
        const auto arch = arch_of(net);
        leaves.insert(leaves.end(), arch.begin(), arch.end());
        auto all = torch::autograd::grad({at::cross_entropy_loss(logits, at::arange(logits.size(0)) % 10)},
                                         leaves, {}, {}, false, true);
        all.push_back(logits.detach());
        return all;
      };
      const auto got = run(*ours);
      const auto wanted = run(*stock);
      double largest = 0;
      for (std::size_t i = 0; i + 1 < wanted.size(); ++i) {
        if (wanted[i].defined()) largest = std::max(largest, test::largest(wanted[i]));
      }
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        INFO("tensor ", i, " of ", wanted.size());
        if (!got[i].defined() ||
            !wanted[i].defined()) {  // a gradient of zeros is none that must be written down
          CHECK((!got[i].defined() || test::largest(got[i]) == 0));
          CHECK((!wanted[i].defined() || test::largest(wanted[i]) == 0));
          continue;
        }
        // What cancels almost to nothing keeps the rounding errors of what cancelled.
        const bool is_gradient = i + 1 < wanted.size();
        const double scale = std::max(test::largest(wanted[i]), is_gradient ? 1e-3 * largest : 0);
        const double error = test::difference(got[i], wanted[i]) / scale;
        worst = std::max(worst, error);
        CHECK(error < tolerance);
      }
    }
  }
  MESSAGE("largest error ", worst, "; residual ", residual, ", odd sizes ", odd, ", stock ops ",
          with_stock_ops, ", partial channels ", partial, ", edge weights ", weighted);
  CHECK(std::min({residual, odd, with_stock_ops, partial, weighted}) >= drawn_count / 8);
}

TEST_CASE("gradients of alpha and beta through the network against central differences") {
  cn::supernet<darts<cn::edges_3_of_14>> net({.channels = 8,
                                              .cells = 1,
                                              .classes = 3,
                                              .dtype = at::kDouble,
                                              .noise = {0.3, 0.1},
                                              .path = cn::compute_path::stock});
  net.train();
  const at::Tensor x = images(3, 4);
  const at::Tensor y = at::arange(3, at::kLong);
  const auto loss = [&] { return at::cross_entropy_loss(net.forward(x), y); };
  CHECK(test::gradient_error(loss, net.arch().beta(1)) < 1e-6);
  CHECK(test::gradient_error(loss, net.arch().alpha(1)) < 1e-6);
  CHECK(test::gradient(loss(), net.arch().alpha(0)).abs().max().item<double>() ==
        0.0);  // there is no normal cell
}

TEST_CASE("absent edges do not exist under 3 of 14") {
  cn::supernet<darts<cn::edges_3_of_14>> net(small_options());
  cn::supernet<darts<cn::edges_4_of_14>> whole(small_options());
  int absent = 0;
  for (const auto& p : net.named_parameters()) absent += contains(p.key(), "._ops.4._ops.") ? 1 : 0;
  int present = 0;
  for (const auto& p : whole.named_parameters()) present += contains(p.key(), "cells.0._ops.4._ops.") ? 1 : 0;
  int fourth_op = 0;
  for (const auto& p : net.named_parameters())
    fourth_op += contains(p.key(), "cells.0._ops.3._ops.4.") ? 1 : 0;
  CHECK(absent == 0);
  CHECK(present == 12);  // 4 + 4 + 2 + 2 convolutions
  CHECK(fourth_op == 4);
  CHECK(net.arch().fixed_weights()[0].edges[4].item<double>() == 0.0);
}

TEST_CASE("beta starts at K/n, and the distance at zero, normal and reduction cells have their own budgets") {
  using both = darts<cn::cells<cn::edges_3_of_14, cn::edges_6_of_14>>;
  const auto arch = test::make_architecture<both>(0.0);
  const auto normal = test::numbers(arch.beta(0));
  const auto reduce = test::numbers(arch.beta(1));
  const std::vector<double> wanted_normal{.25, .25, .25, .25, 0, .25, .25, .25, .25, .2, .2, .2, .2, .2};
  const std::vector<double> wanted_reduce{.5, .5, 1 / 3., 1 / 3., 1 / 3., .5, .5, .5, .5, .4, .4, .4, .4, .4};
  for (std::size_t e = 0; e < 14; ++e) {
    CHECK(normal[e] == doctest::Approx(wanted_normal[e]).epsilon(1e-12));
    CHECK(reduce[e] == doctest::Approx(wanted_reduce[e]).epsilon(1e-12));
  }
  CHECK(cn::edge_entropy(arch).distance.item<double>() < 1e-20);
  cn::supernet<both> net({.channels = 8, .cells = 3});  // the default noise
  CHECK(cn::edge_entropy(net.arch()).distance.item<double>() < 1e-3);
  CHECK(cn::edge_entropy(net.arch()).distance.item<double>() > 0.0);
  CHECK((net.arch().beta(1) > 0).all().item<bool>());
}

TEST_CASE("edge weights: softmax, times in-degree, times kept, none") {
  const auto weights = [](const cn::space_table& space) {
    auto arch = test::make_architecture(space, 0.0);
    std::vector<double> beta(14, 0.0);
    beta[2] = std::log(2.0);        // node 3: 2/4, 1/4, 1/4
    beta[0] = std::log(3.0) - 0.2;  // node 2: 3 / (3 + e^0.2), unless nothing is to choose
    beta[9] = 7.0;                  // node 5: capped at 1: e / (e + 4)
    test::assign(arch.beta(0), beta);
    return test::numbers(arch.fixed_weights()[0].edges);
  };
  const double e = std::exp(1.0);
  const double first = 3.0 / (3.0 + std::exp(0.2));
  const auto plain = weights(cn::table_v<darts<cn::edges_8_of_14, cn::softmax>>);
  CHECK(plain[0] == doctest::Approx(first).epsilon(1e-12));
  CHECK(plain[2] == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(plain[3] == doctest::Approx(0.25).epsilon(1e-12));
  CHECK(plain[9] == doctest::Approx(e / (e + 4)).epsilon(1e-12));
  const auto degree = weights(cn::table_v<darts<cn::edges_8_of_14, cn::softmax_times_in_degree>>);
  CHECK(degree[0] == 1.0);
  CHECK(degree[2] == doctest::Approx(1.5).epsilon(1e-12));
  CHECK(degree[9] == doctest::Approx(5 * e / (e + 4)).epsilon(1e-12));
  const auto kept = weights(cn::table_v<darts<cn::edges_8_of_14>>);
  CHECK(kept[0] == 1.0);
  CHECK(kept[1] == 1.0);
  CHECK(kept[2] == doctest::Approx(1.0).epsilon(1e-12));
  CHECK(kept[9] == doctest::Approx(2 * e / (e + 4)).epsilon(1e-12));
  const auto uncapped = weights(cn::table_v<darts<cn::edges_8_of_14, cn::softmax, cn::uncapped_beta>>);
  CHECK(uncapped[9] == doctest::Approx(std::exp(7.0) / (std::exp(7.0) + 4)).epsilon(1e-12));
  const auto none = test::make_architecture<cn::darts_spec<>>(0.1);
  CHECK(!none.fixed_weights()[0].edges.defined());
  CHECK(none.betas().empty());
}

TEST_CASE("liveness at 3 of 14, by hand") {
  auto arch = test::make_architecture<darts<cn::edges_3_of_14>>(0.0);
  // Group of nodes 2 and 3: e^beta = 1, 1, 2, 4 -> node 2 has mass 1/4, node 3 has 3/4.
  std::vector<double> beta(14, 0.0);
  beta[0] = beta[1] = -3.0, beta[2] = std::log(2.0) - 3, beta[3] = std::log(4.0) - 3;
  beta[7] = std::log(2.0);  // node 4: masses 1, 1, 1/4, 3/4 times 1, 1, 2, 1 -> 4, 4, 2, 3 of 13
  test::assign(arch.beta(0), beta);
  const auto w = test::numbers(arch.fixed_weights()[0].edges);
  const std::vector<double> wanted{1 / 8.,  1 / 8., 2 / 8., 4 / 8.,  0,       4 / 13., 4 / 13., 2 / 13.,
                                   3 / 13., 1 / 4., 1 / 4., 1 / 16., 3 / 16., 1 / 4.};  // node 4 has mass 1
  for (std::size_t e = 0; e < 14; ++e) CHECK(w[e] == doctest::Approx(wanted[e]).epsilon(1e-9));
  auto plain = test::make_architecture<darts<cn::edges_3_of_14, cn::ignore_liveness>>(0.0);
  test::assign(plain.beta(0), beta);
  const auto p = test::numbers(plain.fixed_weights()[0].edges);
  CHECK(p[7] == doctest::Approx(2 / 5.).epsilon(1e-12));
  CHECK(p[12] == doctest::Approx(1 / 5.).epsilon(1e-12));
}

TEST_CASE("liveness where shares and masses depend on each other: both fit together") {
  // The rule itself, applied once to the shares that came out: share ~ mass(source) * e^beta within its
  // group, where the mass of a node is what its edges keep. Only the fixed point comes out unchanged.
  const auto residual = [](const cn::space_table& space, const std::vector<double>& beta) {
    const auto& cell = space.normal;
    auto arch = test::make_architecture(space, 0.0);
    test::assign(arch.beta(0), beta);
    const auto share = test::numbers(cn::edge_shares(space, cell, arch.beta(0)));
    std::vector<double> mass(std::size_t(cell.states()), 1.0);
    for (const auto& group : cell.groups) {
      for (int node = cell.inputs; node < cell.states(); ++node) {
        if (!((group.nodes >> node) & 1U)) continue;
        double entering = 0.0;
        for (std::size_t e = 0; e < share.size(); ++e) entering += cell.edges[e].to == node ? share[e] : 0.0;
        mass[std::size_t(node)] = std::min(1.0, group.kept * entering);
      }
    }
    double worst = 0.0;
    for (const auto& group : cell.groups) {
      double sum = 0.0;
      const auto pull = [&](std::size_t e) {
        const bool member = ((group.edges & cell.present) >> e) & 1U;
        return member ? mass[std::size_t(cell.edges[e].from)] * std::exp(beta[e]) : 0.0;
      };
      for (std::size_t e = 0; e < share.size(); ++e) sum += pull(e);
      for (std::size_t e = 0; e < share.size(); ++e) {
        if (((group.edges & cell.present) >> e) & 1U)
          worst = std::max(worst, std::abs(share[e] - pull(e) / sum));
      }
    }
    return worst;
  };
  using interleaved = cn::edge_budget<cn::keep<1, cn::nodes<2, 5>>, cn::keep<1, cn::nodes<3, 4>>>;
  using inside = cn::edge_budget<cn::keep<2, cn::nodes<2, 3, 4>>, cn::keep<1, cn::nodes<5>>>;
  std::mt19937_64 random(5);
  std::normal_distribution<double> scatter(0.0, 2.0);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> beta(14);
    for (auto& b : beta) b = std::min(1.0, scatter(random));
    CHECK(residual(cn::table_v<darts<cn::edges_3_of_14>>, beta) < 1e-9);
    CHECK(residual(cn::table_v<darts<interleaved>>, beta) < 0.02);
    CHECK(residual(cn::table_v<darts<inside>>, beta) < 0.02);
  }
  // 3 -> 5 hangs on node 3, which gets nothing since 0 -> 4 takes the share of its group.
  std::vector<double> chain(14, -3.0);
  chain[5] = chain[12] = 1.0;  // 0 -> 4, 3 -> 5
  auto arch = test::make_architecture<darts<interleaved>>(0.0);
  test::assign(arch.beta(0), chain);
  CHECK(test::numbers(cn::edge_shares(cn::table_v<darts<interleaved>>, cn::table_v<darts<interleaved>>.normal,
                                      arch.beta(0)))[12] < 0.5);
}

TEST_CASE("liveness repeats its rule eight times where shares depend on each other, and only there") {
  const auto depend = [](const cn::space_table& space) {
    return cn::detail::shares_depend_on_each_other(space.normal, cn::detail::groups_in_order(space.normal));
  };
  using interleaved = cn::edge_budget<cn::keep<1, cn::nodes<2, 5>>, cn::keep<1, cn::nodes<3, 4>>>;
  using pair =
      cn::edge_budget<cn::keep<2, cn::nodes<2, 3>>, cn::keep<1, cn::nodes<4>>, cn::keep<1, cn::nodes<5>>>;
  CHECK(!cn::detail::has_joint_group(cn::table_v<darts<cn::edges_8_of_14>>.normal));
  CHECK(!depend(cn::table_v<darts<cn::edges_8_of_14>>));
  CHECK(cn::detail::has_joint_group(cn::table_v<darts<cn::edges_3_of_14>>.normal));
  CHECK(!depend(cn::table_v<darts<cn::edges_3_of_14>>));  // no edge inside of a joint group
  CHECK(depend(cn::table_v<darts<pair>>));                // 2 -> 3 is inside
  CHECK(depend(cn::table_v<darts<interleaved>>));

  // A second implementation, in the order of the groups as the budget names them.
  const auto by_hand = [](const cn::cell_table& cell, const std::vector<double>& beta, int times) {
    std::vector<double> mass(std::size_t(cell.states()), 1.0);
    std::vector<double> share(beta.size());
    for (int time = 0; time < times; ++time) {
      for (const auto& group : cell.groups) {
        const auto pull = [&](std::size_t e) {
          return mass[std::size_t(cell.edges[e].from)] * std::exp(beta[e]);
        };
        std::vector<std::size_t> members;
        double sum = 0.0;
        for (std::size_t e = 0; e < beta.size(); ++e) {
          if (!(((group.edges & cell.present) >> e) & 1U)) continue;
          members.push_back(e);
          sum += pull(e);
        }
        for (const auto e : members) share[e] = pull(e) / sum;
        std::vector<double> entering(mass.size());
        for (const auto e : members) entering[std::size_t(cell.edges[e].to)] += group.kept * share[e];
        for (std::size_t node = 0; node < mass.size(); ++node) {
          if ((group.nodes >> node) & 1U) mass[node] = std::clamp(entering[node], 1e-6, 1.0);
        }
      }
    }
    return share;
  };
  const auto furthest = [](const std::vector<double>& some, const std::vector<double>& others) {
    double most = 0.0;
    for (std::size_t i = 0; i < some.size(); ++i) most = std::max(most, std::abs(some[i] - others[i]));
    return most;
  };
  std::mt19937_64 random(6);
  std::normal_distribution<double> scatter(0.0, 2.0);
  double ninth = 0.0;  // what a ninth time would change
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> beta(14);
    for (auto& b : beta) b = std::min(1.0, scatter(random));
    for (const cn::space_table& space : {cn::table_v<darts<interleaved>>, cn::table_v<darts<pair>>}) {
      auto arch = test::make_architecture(space, 0.0);
      test::assign(arch.beta(0), beta);
      const auto share = test::numbers(cn::edge_shares(space, space.normal, arch.beta(0)));
      CHECK(furthest(share, by_hand(space.normal, beta, 8)) < 1e-9);
      ninth = std::max(ninth, furthest(share, by_hand(space.normal, beta, 9)));
    }
  }
  CHECK(ninth > 1e-6);
}

TEST_CASE("op weights: softmax, the authors' transform, two of an edge") {
  const at::Tensor alpha = test::doubles({0, std::log(2.0), 0, 0, 0, 0, 0}).view({1, 7});
  CHECK(test::numbers(cn::op_weights(cn::table_v<darts<>>, alpha))[1] ==
        doctest::Approx(2 / 8.).epsilon(1e-12));
  CHECK(test::numbers(cn::op_weights(cn::table_v<cn::authors_code_spec>, alpha))[1] ==
        doctest::Approx(4 / 10.).epsilon(1e-12));
  const auto two =
      test::numbers(cn::op_weights(cn::table_v<darts<cn::op_budget<2>>>, alpha * 9));  // held at 1
  CHECK(two[1] == doctest::Approx(2 * std::exp(1.0) / (std::exp(1.0) + 6)).epsilon(1e-12));
}

TEST_CASE("the authors' code exchanges the betas of normal and reduction cells") {
  auto arch = test::make_architecture<cn::authors_code_spec>(0.4);
  const auto w = arch.fixed_weights();
  const auto reduce = test::numbers(at::softmax(arch.beta(1).slice(0, 2, 5).clamp_max(1.0), 0) * 3);
  CHECK(test::numbers(w[0].edges)[3] == doctest::Approx(reduce[1]).epsilon(1e-12));
  // but cuts each cell by its own
  const auto normal = test::numbers(at::softmax(arch.beta(0).slice(0, 2, 5).clamp_max(1.0), 0) * 3);
  CHECK(test::numbers(arch.ranking_weights()[0].edges)[3] == doctest::Approx(normal[1]).epsilon(1e-12));
}

TEST_CASE("the NAS-Bench-201 cell against a second implementation") {
  for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
    cn::supernet<nb201> net(
        {.channels = 4, .cells = 1, .classes = 5, .dtype = at::kDouble, .noise = {0.5, 0.5}, .path = path});
    CHECK(net.is_fused() == (path == cn::compute_path::fused));
    net.train();
    CHECK(net.weight_count() > 0);
    const at::Tensor x = images(3);
    const auto get = [&](const std::string& name) { return parameter(net, name); };
    const auto weights = net.arch().fixed_weights()[0];
    CHECK((!weights.edges.defined() || test::difference(weights.edges, at::ones({6}, at::kDouble)) < 1e-12));
    const auto cell = [&](const std::string& at_, const at::Tensor& input) {
      std::vector<at::Tensor> s{input};
      int e = 0;
      for (int to = 1; to < 4; ++to) {
        at::Tensor sum = at::zeros_like(input);
        for (int from = 0; from < to; ++from, ++e) {
          const std::string op = at_ + "_ops." + std::to_string(e) + "._ops.";
          const at::Tensor& z = s[std::size_t(from)];
          const at::Tensor r = at::relu(z);
          const auto conv = [&](int o, std::int64_t padding) {
            const std::string name = op + std::to_string(o) + ".op.1.";
            return normed(
                at::conv2d(r, get(name + "weight"), get(name + "bias"), {1, 1}, {padding, padding}));
          };
          sum = sum + weights.ops[e][1] * z + weights.ops[e][2] * conv(2, 0) +
                weights.ops[e][3] * conv(3, 1) +
                weights.ops[e][4] * at::avg_pool2d(z, {3, 3}, {1, 1}, {1, 1}, false, false);
        }
        s.push_back(sum);
      }
      return s[3];
    };
    const auto affine = [&](const at::Tensor& z, const std::string& name) {
      return at::batch_norm(z, get(name + ".weight"), get(name + ".bias"), {}, {}, true, 0.1, 1e-5, false);
    };
    const auto block = [&](const std::string& at_, const at::Tensor& z) {
      const at::Tensor a = affine(
          at::conv2d(at::relu(z), get(at_ + "conv_a.op.1.weight"), {}, {2, 2}, {1, 1}), at_ + "conv_a.op.2");
      const at::Tensor b = affine(
          at::conv2d(at::relu(a), get(at_ + "conv_b.op.1.weight"), {}, {1, 1}, {1, 1}), at_ + "conv_b.op.2");
      return b + at::conv2d(at::avg_pool2d(z, {2, 2}, {2, 2}), get(at_ + "downsample.1.weight"));
    };
    at::Tensor y = affine(at::conv2d(x, get("stem.0.weight"), {}, {1, 1}, {1, 1}), "stem.1");
    y = cell("cells.2.", y = block("cells.1.", cell("cells.0.", y)));
    y = cell("cells.4.", block("cells.3.", y));
    y = at::relu(affine(y, "lastact.0")).mean({2, 3});
    const at::Tensor wanted = at::linear(y, get("classifier.weight"), get("classifier.bias"));
    const at::Tensor logits = net.forward(x);
    CHECK(test::difference(logits, wanted) < 1e-11 * test::largest(wanted));
    const auto ours = torch::autograd::grad({logits.square().sum()}, net.weights(), {}, {}, false, true);
    const auto theirs = torch::autograd::grad({wanted.square().sum()}, net.weights(), {}, {}, false, true);
    const double scale = test::largest(theirs.front());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      REQUIRE(ours[i].defined() == theirs[i].defined());
      if (ours[i].defined())
        CHECK(test::difference(ours[i], theirs[i]) < 1e-11 * (scale + test::largest(theirs[i])));
    }
  }
}

TEST_CASE("seeds reproduce, also across paths, other seeds differ") {
  const auto make = [](std::uint64_t seed) {
    return cn::supernet<darts<>>({.channels = 8, .cells = 2, .seed = seed});
  };
  const auto a = make(1);
  const auto b = make(1);
  const auto c = make(2);
  for (std::size_t i = 0; i < a.weights().size(); ++i) CHECK(at::equal(a.weights()[i], b.weights()[i]));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(at::equal(a.arch().named()[i].second, b.arch().named()[i].second));
    CHECK(!at::equal(a.arch().named()[i].second, c.arch().named()[i].second));
  }
  CHECK(!at::equal(a.weights()[0], c.weights()[0]));
}

TEST_CASE("images of one channel, and of sizes that are not square") {
  cn::supernet<darts<>> net(
      {.channels = 8, .cells = 3, .classes = 4, .image_channels = 1, .dtype = at::kDouble});
  CHECK(net.forward(images(2, 8, 1)).sizes().vec() == std::vector<std::int64_t>{2, 4});
  CHECK(net.forward(images(2, 12, 1).slice(2, 0, 8)).sizes().vec() == std::vector<std::int64_t>{2, 4});
}

TEST_CASE("a user's op computes") {
  using space = cn::spec<only_twice, cn::partial_channels<1>, cn::edge_budget<cn::keep<2, cn::nodes<2>>>>;
  cn::supernet<space> net({.channels = 2, .cells = 1, .classes = 2, .dtype = at::kDouble});
  net.train();
  const at::Tensor x = images(2);
  const auto get = [&](const std::string& name) { return parameter(net, name); };
  const at::Tensor stem =
      at::batch_norm(at::conv2d(x, get("stem.0.weight"), {}, {1, 1}, {1, 1}), get("stem.1.weight"),
                     get("stem.1.bias"), {}, {}, true, 0.1, 1e-5, false);
  const auto state = [&](const char* name) { return normed(at::conv2d(at::relu(stem), get(name))); };
  const at::Tensor s = state("cells.0.preprocess0.op.1.weight") + state("cells.0.preprocess1.op.1.weight");
  const at::Tensor y = (2.0 * s.slice(2, 0, {}, 2).slice(3, 0, {}, 2)).mean({2, 3});
  CHECK(test::difference(net.forward(x), at::linear(y, get("classifier.weight"), get("classifier.bias"))) <
        1e-10);
}

TEST_CASE("bad options and images are told in words") {
  using k4 = cn::supernet<darts<>>;
  const auto options = [](const cn::supernet_options& o) { return message_of([&] { k4 net(o); }); };
  const std::string channels = options({.channels = 18, .cells = 3});
  CHECK(contains(channels, "crispnas::supernet: channels = 18 is not a multiple of 4 * 2"));
  CHECK(contains(channels, "24"));
  CHECK(contains(options({.channels = 4, .cells = 3}), "not a multiple of 4 * 2"));
  CHECK(contains(options({.channels = 0}), "channels = 0"));
  CHECK(contains(options({.channels = 8, .cells = 0}), "cells = 0"));
  CHECK(contains(options({.channels = 8, .classes = 1}), "classes = 1"));
  CHECK(contains(options({.channels = 8, .image_channels = 0}), "image_channels = 0"));
  if (!at::hasCUDA()) CHECK(contains(options({.channels = 8, .device = at::kCUDA}), "device cuda"));
  CHECK(options({.channels = 24, .cells = 1}) == "no error");
  k4 net({.channels = 8, .cells = 3, .dtype = at::kDouble});
  const auto forward = [&](const at::Tensor& x) { return message_of([&] { net.forward(x); }); };
  CHECK(contains(forward(images(2, 6)), "cannot be halved 2 times"));
  CHECK(contains(forward(images(2, 2)), "multiples of 4"));
  CHECK(contains(forward(images(2, 8, 1)), "[batch, 3, height, width]"));
  CHECK(contains(forward(images(2)[0]), "[batch, 3, height, width]"));
  CHECK(forward(images(2, 4)) == "no error");
}

TEST_CASE("a whole bilevel step on meta tensors") {
  const auto check = [](auto spec, int cells) {
    using space = decltype(spec);
    cn::supernet<space> net({.channels = 16, .cells = cells, .device = at::kMeta});
    cn::sgd weights(net.weights(), {});
    cn::adam alpha(net.arch().alphas(), {});
    cn::adam beta(net.arch().betas(), {});
    const auto batch = [&](std::int64_t size) {
      return cn::labelled_batch{at::empty({8, 3, size, size}, at::TensorOptions().device(at::kMeta)),
                                at::empty({8}, at::TensorOptions().device(at::kMeta).dtype(at::kLong))};
    };
    const cn::step_losses losses{&cn::regularizer_terms<typename space::regularizer>::at, 9, 10};
    const cn::step_optimizers optimizers{weights, alpha, beta, 5.0, true, net.space().has_edge_weights()};
    const auto result = cn::bilevel_step(net, losses, optimizers, batch(32), batch(32));
    CHECK(result.weight_loss.is_meta());
    CHECK(result.weight_loss.dim() == 0);
    CHECK(result.arch_loss.is_meta());
    CHECK(net.forward(batch(32).images).sizes().vec() == std::vector<std::int64_t>{8, 10});
    CHECK(contains(message_of([&] { net.forward(batch(30).images); }), "cannot be halved"));
  };
  check(darts<cn::edges_8_of_14, cn::partial_channels<1>>{}, 8);
  check(darts<cn::edges_8_of_14>{}, 8);
  check(darts<cn::edges_3_of_14>{}, 8);
  check(nb201{}, 2);
}

}  // namespace supernet_test
