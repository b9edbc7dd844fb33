// Derived networks: parameters as counted and as published, what they compute, dropped paths, what is refused.
#include <crispnas/derived/derived_network.hpp>
#include <crispnas/derived/python_module.hpp>
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/nas_bench_201.hpp>
#include <crispnas/genotype/text.hpp>
#include <random>
#include <string>

#include "support.hpp"

namespace derived_test {

namespace cn = crispnas;

namespace {

at::Tensor images(std::int64_t batch, std::int64_t size, std::uint64_t seed = 3) {
  return at::empty({batch, 3, size, size}, at::kDouble).normal_(0, 1, at::detail::createCPUGenerator(seed));
}

at::Tensor parameter(const cn::any_derived_network& net, const std::string& name) {
  const auto all = net.named_parameters();
  const auto* found = all.find(name);
  REQUIRE_MESSAGE(found != nullptr, name);
  return *found;
}

std::int64_t auxiliary_count(const cn::any_derived_network& net) {
  std::int64_t all = 0;
  for (const auto& p : net.parameters()) all += p.numel();
  return all - net.weight_count();
}

}  // namespace

TEST_CASE("parameters are as published and as counted at compile time") {
  const auto cifar = [](const cn::genotype& g, std::int64_t published) {
    const cn::any_derived_network net(g, cn::presets::cifar_network());
    CHECK(net.weight_count() == published);
    CHECK(net.weight_count() == cn::count_cifar_network(g).parameters());
    CHECK(auxiliary_count(net) == cn::count_cifar_network(g, {.auxiliary = true}).auxiliary.parameters);
  };
  cifar(cn::known::darts_v1, 3169414);
  cifar(cn::known::darts_v2, 3349342);
  const cn::derived_options odd{.channels = 37, .cells = 5};
  CHECK(cn::any_derived_network(cn::known::darts_v2, odd).weight_count() ==
        cn::count_cifar_network(cn::known::darts_v2, {.channels = 37, .cells = 5}).parameters());
  cifar(cn::known::nasnet, 3830950);       // five nodes, three of them put out by the reduction cell
  cifar(cn::known::fairdarts_a, 2360782);  // a node that nothing enters
  cifar(cn::known::fairdarts_c, 2598814);  // and an edge that starts at it
  const auto imagenet = [](const cn::genotype& g, std::int64_t published) {
    const cn::any_derived_network net(g, cn::presets::imagenet_network());
    CHECK(net.weight_count() == published);
    CHECK(auxiliary_count(net) == cn::count_imagenet_network(g, {.auxiliary = true}).auxiliary.parameters);
  };
  imagenet(cn::known::darts_v2, 4718752);
  imagenet(cn::known::pc_darts_image, 5342464);
  CHECK(cn::any_derived_network(cn::nas_bench_201_genotype(0), cn::presets::nas_bench_201_network())
            .weight_count() == 129306);
  const auto best = cn::parse_genotype(
      "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|");
  CHECK(cn::any_derived_network(best, cn::presets::nas_bench_201_network()).weight_count() == 1288506);
  // The published numbers of the auxiliary heads (4 nodes put out).
  CHECK(auxiliary_count(cn::any_derived_network(cn::known::darts_v2, cn::presets::cifar_network())) ==
        476426);
  CHECK(auxiliary_count(cn::any_derived_network(cn::known::darts_v2, cn::presets::imagenet_network())) ==
        1260776);
}

namespace {

/// Any op and any edge, any states put out: most can be built, many cannot.
class random_cells {
 public:
  cn::genotype stacked() {
    cn::genotype g;
    const int nodes = 1 + below(4);
    g.normal = cell(2, nodes);
    g.has_reduction = below(8) != 0;
    if (g.has_reduction) g.reduction = cell(below(20) == 0 ? 1 : 2, nodes);
    return g;
  }
  cn::genotype stages() {
    cn::genotype g;
    g.normal = cell(below(8) == 0 ? 2 : 1, 1 + below(4));
    if (below(8) != 0) g.normal.concat = std::uint32_t{1} << (g.normal.states() - 1);
    g.has_reduction = false;
    return g;
  }
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

 private:
  cn::cell_genotype cell(int inputs, int nodes) {
    constexpr std::array<const char*, 12> ops{"none",         "max_pool_3x3", "avg_pool_3x3", "skip_connect",
                                              "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3",
                                              "dil_conv_5x5", "conv_7x1_1x7", "nor_conv_1x1", "nor_conv_3x3"};
    cn::cell_genotype c;
    c.inputs = inputs;
    c.nodes = nodes;
    for (int to = inputs; to < c.states(); ++to) {
      if (below(12) == 0) continue;  // a node that nothing enters
      for (int more = 1 + below(3); more > 0; --more) {
        const int from = below(to);
        if (c.alive(from) || below(6) == 0)
          c.add({ops[static_cast<std::size_t>(below(int(ops.size())))], from, to});
      }
    }
    for (int s = inputs; s < c.states(); ++s) {
      if (c.alive(s) && below(4) != 0) c.concat |= std::uint32_t{1} << s;
    }
    if (below(10) == 0) c.concat |= std::uint32_t{1} << below(c.states() + 2);
    return c;
  }
  std::mt19937 random_{5};  // NOLINT: the same cells on every run
};

/// Counts, builds and runs: all three, or words from both.
struct comparison {
  int built = 0;
  int refused = 0;
  template <class Count>
  void operator()(const cn::genotype& g, const cn::derived_options& options, int image, const Count& count) {
    CAPTURE(cn::to_text(g, cn::dialect::edge_list));
    CAPTURE(options.channels);
    CAPTURE(options.cells);
    CAPTURE(image);
    std::int64_t parameters = -1;
    std::int64_t auxiliary = 0;
    const std::string not_counted = test::message_of([&] {
      const cn::network_count c = count();
      parameters = c.parameters();
      auxiliary = c.auxiliary.parameters;
    });
    const std::string not_built = test::message_of([&] {
      cn::any_derived_network net(g, options);
      at::NoGradGuard no_grad;
      const auto out = net.forward(images(2, image).to(at::kFloat));
      CHECK(net.weight_count() == parameters);
      CHECK(auxiliary_count(net) == auxiliary);
      CHECK(out.logits.sizes() == at::IntArrayRef{2, options.classes});
    });
    CAPTURE(not_counted);
    CAPTURE(not_built);
    CHECK((not_counted == "no error") == (not_built == "no error"));
    (not_built == "no error" ? built : refused) += 1;
  }
};

}  // namespace

TEST_CASE("random cells: what is counted is what is built, and what cannot be built is not counted") {
  random_cells random;
  comparison compare;
  for (int i = 0; i < 250; ++i) {
    const cn::genotype g = random.stacked();
    const int channels = 1 + random.below(5);
    const int cells = 1 + random.below(5);
    const bool auxiliary = random.below(3) == 0;
    const int image = auxiliary ? 16 + 4 * random.below(8) : 8;
    compare(g, {.channels = channels, .cells = cells, .classes = 3, .auxiliary = auxiliary}, image, [&] {
      return cn::count_cifar_network(
          g, {.channels = channels, .cells = cells, .classes = 3, .image = image, .auxiliary = auxiliary});
    });
    if (i % 4 != 0) continue;
    const int large = auxiliary ? 192 + 32 * random.below(4) : 32;
    compare(
        g,
        {.skeleton = cn::derived_skeleton::imagenet,
         .channels = channels,
         .cells = cells,
         .classes = 3,
         .auxiliary = auxiliary},
        large, [&] {
          return cn::count_imagenet_network(
              g,
              {.channels = channels, .cells = cells, .classes = 3, .image = large, .auxiliary = auxiliary});
        });
  }
  CHECK(compare.built > 100);
  CHECK(compare.refused > 50);
  comparison stages;
  for (int i = 0; i < 150; ++i) {
    const cn::genotype g = random.stages();
    const int channels = 1 + random.below(4);
    stages(g,
           {.skeleton = cn::derived_skeleton::nas_bench_201, .channels = channels, .cells = 2, .classes = 3},
           8, [&] {
             return cn::count_nas_bench_201_network(
                 g, {.channels = channels, .cells = 2, .classes = 3, .image = 8});
           });
  }
  CHECK(stages.built > 50);
  CHECK(stages.refused > 20);
}

TEST_CASE("a small network against a second implementation") {
  constexpr auto g = cn::parse_genotype(
      "Genotype(normal=[0->2 skip_connect, 1->2 max_pool_3x3, 2->3 dil_conv_3x3], normal_concat=[2, 3], "
      "reduce=[0->2 skip_connect, 1->3 avg_pool_3x3, 2->3 skip_connect], reduce_concat=[3])");
  cn::derived_network<g> net(
      {.channels = 4, .cells = 2, .classes = 5, .dtype = at::kDouble});  // reductions at 0 and 1
  net.eval();
  const auto get = [&](const std::string& name) { return parameter(net, name); };
  const auto norm = [&](const at::Tensor& x, const std::string& name) {
    const auto statistics = net.named_buffers();
    return at::batch_norm(x, get(name + ".weight"), get(name + ".bias"), statistics[name + ".running_mean"],
                          statistics[name + ".running_var"], false, 0.1, 1e-5, false);
  };
  const auto reduce = [&](const at::Tensor& x, const std::string& name) {
    const at::Tensor r = at::relu(x);
    return norm(at::cat({at::conv2d(r, get(name + ".conv_1.weight"), {}, {2, 2}),
                         at::conv2d(r.slice(2, 1).slice(3, 1), get(name + ".conv_2.weight"), {}, {2, 2})},
                        1),
                name + ".bn");
  };
  const auto point = [&](const at::Tensor& x, const std::string& name) {
    return norm(at::conv2d(at::relu(x), get(name + ".op.1.weight")), name + ".op.2");
  };
  const auto cell = [&](const at::Tensor& older, const at::Tensor& newer, const std::string& c, bool larger) {
    const at::Tensor s0 = larger ? reduce(older, c + "preprocess0") : point(older, c + "preprocess0");
    const at::Tensor s1 = point(newer, c + "preprocess1");
    const at::Tensor s2 = reduce(s0, c + "_ops.0");
    return at::avg_pool2d(s1, {3, 3}, {2, 2}, {1, 1}, false, false) + s2;
  };
  const auto x = images(3, 8);
  const at::Tensor stem = norm(at::conv2d(x, get("stem.0.weight"), {}, {1, 1}, {1, 1}), "stem.1");
  const at::Tensor first = cell(stem, stem, "cells.0.", false);
  const at::Tensor second = cell(stem, first, "cells.1.", true);
  const at::Tensor wanted = at::linear(second.mean({2, 3}), get("classifier.weight"), get("classifier.bias"));
  at::NoGradGuard no_grad;
  CHECK(test::difference(net.forward(x).logits, wanted) < 1e-10);
}

TEST_CASE("the auxiliary head speaks in training alone, and a batch is learned") {
  cn::any_derived_network net(cn::known::darts_v2,
                              {.channels = 4, .cells = 3, .classes = 10, .auxiliary = true});
  const auto x = images(8, 32).to(at::kFloat);
  const auto y = at::arange(8);
  net.eval();
  CHECK(!net.forward(x).auxiliary.defined());
  net.train();
  double first = 0.0, last = 0.0;
  for (int step = 0; step < 30; ++step) {
    const auto out = net.forward(x);
    REQUIRE(out.auxiliary.sizes() == out.logits.sizes());
    const auto loss = at::cross_entropy_loss(out.logits, y) + 0.4 * at::cross_entropy_loss(out.auxiliary, y);
    for (auto& p : net.parameters()) p.mutable_grad() = at::Tensor();
    loss.backward();
    at::NoGradGuard no_grad;
    for (auto& p : net.parameters()) {
      REQUIRE(p.grad().defined());
      p.sub_(p.grad(), 0.05);
    }
    (step == 0 ? first : last) = loss.item<double>();
  }
  CHECK(last < 0.5 * first);
}

TEST_CASE("dropped paths: how many, scaled, the same for a seed, never what only passes on") {
  cn::path_dropper drop(5);
  const auto x = at::ones({10000, 2, 1, 1}, at::kDouble);
  CHECK(drop(x).is_same(x));
  drop.probability(0.25);
  const auto y = drop(x);
  CHECK(at::equal(y.select(1, 0), y.select(1, 1)));  // whole images
  const double kept = (y != 0).to(at::kDouble).mean().item<double>();
  CHECK(kept == doctest::Approx(0.75).epsilon(0.03));
  CHECK(test::difference(at::masked_select(y, y != 0),
                         at::full({(y != 0).sum().item<std::int64_t>()}, 1 / 0.75, at::kDouble)) < 1e-12);
  cn::path_dropper again(5);
  again.probability(0.2, 5, 10);
  CHECK(again.probability() == doctest::Approx(0.1));
  again.probability(0.25);
  CHECK(at::equal(again(x), y));
  CHECK_THROWS_WITH_AS(drop.probability(1.0), doctest::Contains("from 0 up to, not including, 1"), cn::error);

  constexpr auto skips =
      cn::parse_genotype("Genotype(normal=[0->2 skip_connect, 1->2 skip_connect], normal_concat=[2])");
  cn::any_derived_network passes(skips, {.channels = 4, .cells = 1, .dtype = at::kDouble});
  constexpr auto pools =
      cn::parse_genotype("Genotype(normal=[0->2 max_pool_3x3, 1->2 max_pool_3x3], normal_concat=[2])");
  cn::any_derived_network drops(pools, {.channels = 4, .cells = 5, .dtype = at::kDouble});
  for (auto* net : {&passes, &drops}) {
    net->train();
    net->drop_path().probability(0.5);
  }
  const auto z = images(4, 16);
  // A single cell reduces, so its skips are factorized reductions, which can be dropped; five cells hold plain ones too.
  const auto random = [&](cn::any_derived_network& net) {
    return !at::equal(net.forward(z).logits, net.forward(z).logits);
  };
  CHECK(random(drops));
  cn::derived_cell plain({at::detail::createCPUGenerator(1), at::kCPU, at::kDouble}, skips.normal,
                         cn::named_ops<>(), {4, {3, 3}, false, false});
  cn::path_dropper half(9);
  half.probability(0.5);
  const at::Tensor both[2] = {z, z};
  plain.train();
  CHECK(at::equal(plain.forward(both, half), plain.forward(both, half)));
}

TEST_CASE("what cannot be built says why") {
  const auto says = [](const cn::genotype& g, const cn::derived_options& o, const char* words) {
    CHECK_THROWS_WITH_AS(cn::any_derived_network(g, o), doctest::Contains(words), cn::error);
  };
  says(cn::parse_genotype("Genotype(normal=[0->2 mine], normal_concat=[2])"), {},
       "there is no op 'mine'. There are none, max_pool_3x3");
  says(cn::parse_genotype("Genotype(normal=[2->3 skip_connect], normal_concat=[3])"), {},
       "state 3 is put out, but nothing enters it");
  says(cn::known::darts_v2, {.skeleton = cn::derived_skeleton::imagenet, .channels = 5},
       "channels = 5 is odd");
  says(cn::known::darts_v2, {.cells = 1, .auxiliary = true}, "two cells or more");
  says(cn::known::darts_v2, {.cells = 0}, "cells = 0");
  says(cn::known::darts_v2, cn::presets::nas_bench_201_network(), "one cell type of one input");
  says(cn::known::darts_v2, {.device = at::Device(at::kCUDA, 99)}, "is not available here");
  cn::any_derived_network net(cn::known::darts_v2, {.channels = 4, .cells = 3, .auxiliary = true});
  CHECK_THROWS_WITH_AS(net.forward(at::zeros({2, 3, 30, 30})), doctest::Contains("multiples of 4"),
                       cn::error);
  CHECK_THROWS_WITH_AS(net.forward(at::zeros({2, 3, 16, 16})),
                       doctest::Contains("needs images of 32 x 32, 36 x 36 or 40 x 40"), cn::error);
  CHECK_THROWS_WITH_AS(net.forward(at::zeros({2, 1, 32, 32})), doctest::Contains("[batch, 3, height, width]"),
                       cn::error);
  static_assert(!cn::detail::knows_all_ops<cn::darts_ops>(cn::known::nasnet),
                "sep_conv_7x7 is not in the DARTS set");
}

TEST_CASE("a Python module has the classes of its network and of the ops of its cells, and no others") {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  const auto cifar = cn::to_python(cn::known::darts_v2, {.channels = 4, .cells = 3, .classes = 7});
  CHECK(has(cifar, "A CIFAR network, C = 4, 3 cells, 7 classes"));
  CHECK(has(cifar, "\nCHANNELS = 4\nCELLS = 3\nCLASSES = 7\n"));
  CHECK(count(cifar, "class Depthwise(") == 1);  // which sep_conv and dil_conv share
  CHECK(!has(cifar, "class Conv7x1("));
  CHECK(!has(cifar, "class Zero("));
  CHECK(has(cifar, "(\"sep_conv_3x3\", 0, 2)"));
  CHECK(has(cifar, "\"output\": [2, 3, 4, 5]"));
  CHECK(!has(cifar, "@"));  // no mark of the text's own is left
  const auto imagenet = cn::to_python(
      cn::known::darts_v2, {.skeleton = cn::derived_skeleton::imagenet, .channels = 8, .cells = 4});
  CHECK(has(imagenet, "An ImageNet network"));
  CHECK(imagenet != cifar);
  const auto best = cn::parse_genotype(
      "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|");
  const auto residual =
      cn::to_python(best, {.skeleton = cn::derived_skeleton::nas_bench_201, .channels = 4, .cells = 1});
  CHECK(has(residual, "A NAS-Bench-201 network, C = 4, 1 cells in each of 3 stages"));
  CHECK(has(residual, "\"skip_connect\": lambda channels, stride: nn.Identity(),"));
  CHECK(!has(residual, "REDUCTION"));
  CHECK(has(residual, "class ResidualBlock("));
  CHECK_THROWS_WITH_AS(
      cn::to_python(cn::parse_genotype("Genotype(normal=[0->2 mine], normal_concat=[2])"), {}),
      doctest::Contains("the op 'mine' is not one of the published ones"), cn::error);
}

}  // namespace derived_test
