// Are the counts those of the published networks? The numbers were found by running the published code:
// parameters without the auxiliary head; multiply-adds of convolutions and linear layers.
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/spec.hpp>

namespace cn = crispnas;
using cn::cost;

// Super-networks, C = 16, 8 cells.
static_assert(cn::count_supernet<cn::spec<cn::darts_cell_with_none, cn::partial_channels<1>>>().network ==
                  cost{1930618, 300255744},
              "DARTS's super-network is counted otherwise.");
static_assert(cn::count_supernet<cn::authors_code_spec>().network == cost{1930618, 300255744},
              "The super-network of the authors' code is DARTS's.");
static_assert(cn::count_supernet<cn::fair_darts_spec<cn::partial_channels<1>>>().network ==
                  cost{1930618, 300255744},
              "FairDARTS's super-network is DARTS's.");
static_assert(cn::count_supernet<cn::pc_darts_spec<>>().network == cost{299578, 56596992},
              "PC-DARTS's super-network is counted otherwise.");
static_assert(cn::count_supernet<cn::spec<cn::edges_3_of_14>>().network.parameters < 299578,
              "An edge in no feasible kept set has no weights.");

// Networks of the published genotypes: C = 36 and 20 cells on CIFAR-10, C = 48 and 14 cells on ImageNet.
struct counted {
  const cn::genotype* found;
  cost cifar;
  cost imagenet;
};
constexpr counted all_counted[] = {
    {&cn::known::nasnet, {3830950, 603452448}, {5564320, 604031616}},
    {&cn::known::amoebanet, {3145078, 488931552}, {4627360, 526746624}},
    {&cn::known::pnasnet, {4481110, 706026528}, {6394912, 696738048}},
    {&cn::known::darts_v1, {3169414, 500987520}, {4510432, 505864704}},
    {&cn::known::darts_v2, {3349342, 528359040}, {4718752, 529911552}},
    {&cn::known::snas_mild, {2661382, 422218368}, {3939328, 438042432}},
    {&cn::known::snas_moderate, {2847358, 440687232}, {4312576, 465607872}},
    {&cn::known::snas_aggressive, {2313622, 374912640}, {3561952, 395715840}},
    {&cn::known::pdarts, {3433798, 532174464}, {4944352, 542819328}},
    {&cn::known::pc_darts_cifar, {3634678, 556670592}, {5270560, 571137408}},
    {&cn::known::pc_darts_image, {3721510, 570466944}, {5342464, 581627328}},
    {&cn::known::sdarts_rs, {3606166, 562393728}, {5120320, 566762688}},
};
constexpr int first_wrong_cifar() {
  int i = 0;
  for (const counted& c : all_counted) {
    if (!(cn::count_cifar_network(*c.found).network == c.cifar)) return i;
    ++i;
  }
  return -1;
}
constexpr int first_wrong_imagenet() {
  int i = 0;
  for (const counted& c : all_counted) {
    if (!(cn::count_imagenet_network(*c.found).network == c.imagenet)) return i;
    ++i;
  }
  return -1;
}
static_assert(first_wrong_cifar() == -1, "The CIFAR network of this genotype is counted otherwise.");
static_assert(first_wrong_imagenet() == -1, "The ImageNet network of this genotype is counted otherwise.");

// FairDARTS: only nodes that have an op are in the output.
static_assert(cn::count_cifar_network(cn::known::fairdarts_a).network == cost{2360782, 371455200},
              "FairDARTS_a is counted otherwise.");
static_assert(cn::count_cifar_network(cn::known::fairdarts_b).network == cost{3407878, 536487552},
              "FairDARTS_b is counted otherwise.");
static_assert(cn::count_cifar_network(cn::known::fairdarts_c).network == cost{2598814, 399987936},
              "FairDARTS_c is counted otherwise.");

// The head for 100 classes has 90 more rows of 576 weights and a bias.
static_assert(cn::count_cifar_network(cn::known::darts_v2, {.classes = 100}).parameters() == 3349342 + 51930,
              "The head for 100 classes is counted otherwise.");

// The auxiliary head of an output of four nodes stands apart.
constexpr auto with_auxiliary = cn::count_cifar_network(cn::known::darts_v2, {.auxiliary = true});
static_assert(with_auxiliary.auxiliary.parameters == 476426 &&
                  with_auxiliary.network == cost{3349342, 528359040},
              "The auxiliary head for CIFAR is counted otherwise.");
static_assert(cn::count_imagenet_network(cn::known::darts_v2, {.auxiliary = true}).auxiliary.parameters ==
                  1260776,
              "The auxiliary head for ImageNet is counted otherwise.");
static_assert(cn::count_cifar_network(cn::known::darts_v2).auxiliary == cost{},
              "An auxiliary head was not asked for.");

// NAS-Bench-201. Its table adds the biases of the classifier.
constexpr auto residual = cn::parse_genotype(
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|");
constexpr auto number_0 = cn::parse_genotype(
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|");
constexpr auto as_table = cn::counting_convention::conv_linear_and_classifier_bias;
static_assert(cn::count_nas_bench_201_network(residual).network == cost{1288506, 184730240},
              "The residual cell is counted otherwise.");
static_assert(cn::count_nas_bench_201_network(number_0).network == cost{129306, 15647360},
              "Cell 0 is counted otherwise.");
static_assert(cn::count_nas_bench_201_network(number_0, {.convention = as_table}).multiply_adds() == 15647370,
              "The table says 15.64737 M for CIFAR-10.");
static_assert(cn::count_nas_bench_201_network(number_0, {.classes = 100, .convention = as_table})
                      .multiply_adds() == 15653220,
              "The table says 15.65322 M for CIFAR-100.");
static_assert(cn::count_nas_bench_201_network(number_0, {.classes = 120, .image = 16, .convention = as_table})
                      .multiply_adds() == 3919480,
              "The table says 3.91948 M for ImageNet-16-120.");
constexpr cn::genotype all_of(const char* op) {
  cn::genotype g;
  g.has_reduction = false;
  g.normal = {.inputs = 1, .nodes = 3, .concat = 0b1000};
  for (int to = 1; to <= 3; ++to) {
    for (int from = 0; from < to; ++from) g.normal.add({op, from, to});
  }
  return g;
}
static_assert(cn::count_nas_bench_201_network(all_of("skip_connect")).network == cost{73306, 7783040},
              "A cell of skips has no weights.");
static_assert(cn::count_nas_bench_201_network(all_of("none")).network == cost{73306, 7783040},
              "A cell of nothing has no weights.");
static_assert(cn::count_nas_bench_201_network(all_of("nor_conv_3x3")).network == cost{1531546, 220119680},
              "A cell of 3x3 convolutions is counted otherwise.");

// An op of a user's own counts itself.
struct pointwise {
  static constexpr std::string_view name = "pointwise";
  static constexpr cost count(const cn::op_place& at) {
    const std::int64_t weights = std::int64_t{at.channels} * at.channels;
    return {weights, weights * at.pixels()};
  }
};
constexpr auto with_pointwise = cn::count_nas_bench_201_network<cn::op_set<pointwise>>(all_of("pointwise"));
static_assert(with_pointwise.parameters() == 73306 + 6 * 5 * (16 * 16 + 32 * 32 + 64 * 64),
              "A user's op is counted otherwise.");
constexpr auto among_skips = [] {
  cn::genotype g = all_of("skip_connect");
  g.normal.genes[4].op = "pointwise";
  return g;
}();
static_assert(cn::count_nas_bench_201_network<cn::op_set<pointwise>>(among_skips).parameters() ==
                  73306 + 5 * (16 * 16 + 32 * 32 + 64 * 64),
              "A user's op beside published ones is counted otherwise.");
static_assert(
    cn::count_supernet<cn::spec<cn::dense_cell<2, 1, cn::op_set<pointwise>>, cn::partial_channels<1>>>(
        {.channels = 2, .cells = 1, .classes = 2})
            .parameters() == 3 * 6 * 9 + 12 + 2 * 6 * 4 + 2 * 4 * 4 + (4 + 1) * 2,
    "A super-network of a user's op is counted otherwise.");
