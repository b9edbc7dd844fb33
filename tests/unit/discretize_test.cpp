// The cut: the best feasible kept set against brute force, what a cut super-network computes, and the gap.
#include <array>
#include <bit>
#include <crispnas/discretize/discretize.hpp>
#include <crispnas/discretize/random_cut.hpp>
#include <crispnas/genotype/text.hpp>
#include <random>

#include "support.hpp"

namespace discretize_test {

namespace cn = crispnas;

namespace {

template <class... P>
using k4 = cn::spec<cn::darts_cell, P...>;

/// Every feasible kept set, found by trying all subsets of the edges.
std::vector<std::uint64_t> feasible_sets(const cn::cell_table& cell) {
  std::vector<std::uint64_t> sets;
  for (std::uint64_t set = 1; set < std::uint64_t{1} << cell.edges.size(); ++set) {
    bool good = true;
    for (const auto& group : cell.groups) good = good && std::popcount(set & group.edges) == group.kept;
    if (!good) continue;
    std::uint32_t reached = (1U << cell.inputs) - 1U;
    for (std::size_t e = 0; e < cell.edges.size();
         ++e) {  // sorted by target, so sources are settled before they are asked
      if (!((set >> e) & 1U)) continue;
      good = good && ((reached >> cell.edges[e].from) & 1U);
      reached |= 1U << cell.edges[e].to;
    }
    if (cell.output == cn::cell_output::last) good = good && ((reached >> (cell.states() - 1)) & 1U);
    if (good) sets.push_back(set);
  }
  return sets;
}

/// The set whose ascending list of edges comes first among the best ones.
std::uint64_t best_by_force(const std::vector<std::uint64_t>& sets, const std::vector<double>& weights) {
  const auto list = [](std::uint64_t set) {
    std::vector<int> edges;
    for (; set != 0; set &= set - 1) edges.push_back(std::countr_zero(set));
    return edges;
  };
  std::vector<double> logs;
  for (double w : weights) logs.push_back(std::log(w));
  std::uint64_t best = 0;
  double best_score = -INFINITY;
  for (std::uint64_t set : sets) {
    double score = 0.0;
    for (std::uint64_t left = set; left != 0; left &= left - 1)
      score += logs[std::size_t(std::countr_zero(left))];
    if (score > best_score || (score == best_score && list(set) < list(best))) {
      best = set;
      best_score = score;
    }
  }
  return best;
}

int wrong_choices(const cn::cell_table& cell, std::uint64_t seed, int trials) {
  const auto sets = feasible_sets(cell);
  std::mt19937_64 random(seed);
  std::vector<double> weights(cell.edges.size());
  int wrong = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const bool ties = trial % 4 == 3;
    for (double& w : weights)
      w = ties ? (random() % 2 == 0 ? 1.0 : 0.5) : double(1 + random() % 1000003) / 1000003.0;
    const auto found = cn::best_kept_set(cell, weights);
    const std::uint64_t wanted = best_by_force(sets, weights);
    std::uint32_t alive = (1U << cell.inputs) - 1U;
    for (std::size_t e = 0; e < weights.size(); ++e) {
      if ((wanted >> e) & 1U) alive |= 1U << cell.edges[e].to;
    }
    wrong += found.edges != wanted || (wanted != 0 && found.alive != alive) ? 1 : 0;
  }
  return wrong;
}

using small = cn::supernet_options;
small options_of(cn::compute_path path = cn::compute_path::stock, std::uint64_t seed = 3) {
  return {.channels = 8,
          .cells = 3,
          .classes = 4,
          .seed = seed,
          .dtype = at::kDouble,
          .noise = {0.5, 0.3},
          .path = path};
}

at::Tensor images(std::int64_t n, std::uint64_t seed = 5) {
  return at::randn({n, 3, 8, 8}, at::detail::createCPUGenerator(seed),
                   at::TensorOptions().dtype(at::kDouble));
}

cn::labelled_images bytes(std::int64_t n, std::uint64_t seed = 9) {
  auto generator = at::detail::createCPUGenerator(seed);
  return {at::randint(0, 256, {n, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kByte)),
          at::arange(n, at::kLong) % 4, 4};
}

/// Running statistics away from their start, so that a wrong path cannot hide behind equal ones.
void settle(cn::any_supernet& net) {
  at::NoGradGuard no_grad;
  net.train();
  for (std::uint64_t i = 0; i < 20; ++i) net.forward(images(8, i), net.arch().fixed_weights());
  net.eval();
}

}  // namespace

TEST_CASE("best kept set: brute force, 1,000 random weights for every preset") {
  CHECK(feasible_sets(cn::table_v<k4<cn::edges_8_of_14>>.normal).size() == 1 * 3 * 6 * 10);
  // Node 2 alone or node 3 alone lives, two edges each: 2 * 2 * (3 sources for node 4) * (4 for node 5).
  CHECK(feasible_sets(cn::table_v<k4<cn::edges_3_of_14>>.normal).size() == 4 * 3 * 4);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_3_of_14>>.normal, 1, 1000) == 0);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_4_of_14>>.normal, 2, 1000) == 0);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_5_of_14>>.normal, 3, 1000) == 0);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_6_of_14>>.normal, 4, 1000) == 0);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_7_of_14>>.normal, 5, 1000) == 0);
  CHECK(wrong_choices(cn::table_v<k4<cn::edges_8_of_14>>.normal, 6, 1000) == 0);
}

TEST_CASE("best kept set and possible edges: brute force over random graphs and budgets") {
  std::mt19937_64 random(2024);
  const auto below = [&](int n) { return int(random() % std::uint64_t(n)); };
  int feasible = 0;
  int infeasible = 0;
  for (int graph = 0; graph < 200; ++graph) {
    const int inputs = 1 + below(2);
    const int nodes = 1 + below(4);
    std::vector<cn::edge> edges;
    for (int to = inputs; to < inputs + nodes; ++to) {
      for (int from = 0; from < to; ++from) {
        if (below(4) != 0) edges.push_back({from, to});
      }
    }
    if (edges.empty()) continue;
    std::vector<cn::group_table> groups(std::size_t(1 + below(nodes)));
    for (int s = inputs; s < inputs + nodes; ++s)
      groups[std::size_t(below(int(groups.size())))].nodes |= 1U << s;
    for (auto& group : groups) {
      for (std::size_t e = 0; e < edges.size(); ++e) {
        if ((group.nodes >> edges[e].to) & 1U) group.edges |= std::uint64_t{1} << e;
      }
      group.kept = below(std::popcount(group.edges) + 1);
    }
    const auto output = below(3) == 0 ? cn::cell_output::last : cn::cell_output::concat;
    const auto possible = cn::possible_edges(edges, groups, inputs, nodes, output);
    const cn::cell_table cell{inputs, nodes, edges, possible, groups, output};
    std::uint64_t all = 0;
    for (auto set : feasible_sets(cell)) all |= set;
    CAPTURE(graph);
    CHECK(possible == all);
    CHECK(wrong_choices(cell, std::uint64_t(graph), 40) == 0);
    (all != 0 ? feasible : infeasible) += 1;
  }
  CHECK(feasible > 50);
  CHECK(infeasible > 10);
}

TEST_CASE("ties go to the lower index, feasibility changes the naive choice at 3 of 14") {
  const auto& cell = cn::table_v<k4<cn::edges_3_of_14>>.normal;
  const std::vector<double> equal(14, 0.25);
  const auto first = cn::best_kept_set(cell, equal);
  CHECK(first.edges == ((1U << 0) | (1U << 5) | (1U << 9)));
  CHECK(!first.changed_by_feasibility());
  // Naive: 0 -> 2 (0.9), 3 -> 4 (0.8), 4 -> 5 (0.9); but node 3 has no input. Either 0 -> 3 (0.5) with 3 ->
  // 4: 0.5 * 0.8 * 0.9, or 0 -> 2 with 1 -> 4 (0.1): 0.9 * 0.1 * 0.9. The first is larger.
  std::vector<double> weights(14, 0.01);
  weights[0] = 0.9, weights[2] = 0.5, weights[6] = 0.1, weights[8] = 0.8, weights[13] = 0.9;
  auto found = cn::best_kept_set(cell, weights);
  CHECK(found.naive == ((1U << 0) | (1U << 8) | (1U << 13)));
  CHECK(found.edges == ((1U << 2) | (1U << 8) | (1U << 13)));
  CHECK(found.changed_by_feasibility());
  CHECK(found.alive == 0b111011U);
  CHECK(found.score == doctest::Approx(std::log(0.5 * 0.8 * 0.9)).epsilon(1e-12));
  weights[2] = 0.1;  // 0.1 * 0.8 < 0.9 * 0.1
  found = cn::best_kept_set(cell, weights);
  CHECK(found.edges == ((1U << 0) | (1U << 6) | (1U << 13)));
  weights.assign(14, 0.0);  // weights that underflowed are no NaN
  CHECK(cn::best_kept_set(cell, weights).edges == first.edges);
}

TEST_CASE("in residual stages none is an op that can win") {
  cn::supernet<cn::spec<cn::nas_bench_201_cell>> net({.channels = 4, .cells = 1, .dtype = at::kDouble});
  std::vector<double> alpha(6 * 5, 0.0);
  for (std::size_t e = 0; e < 6; ++e)
    alpha[e * 5 + (e == 2 ? 0 : 3)] = 9.0;  // none on edge 2, nor_conv_3x3 elsewhere
  test::assign(net.arch().alpha(0), alpha);
  const auto found = cn::discretize(net);
  CHECK(cn::to_text(found) ==
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|");
  // The super-network is all but crisp on that cell, so cutting it changes all but nothing.
  at::NoGradGuard no_grad;
  net.train();
  const auto x = at::randn({4, 3, 8, 8}, at::kDouble);
  const auto soft = net.forward(x, net.arch().fixed_weights());
  const auto cut =
      net.forward(x, cn::cut_weights(net.space(), cn::cut_of(net, found), net.arch().fixed_weights()));
  CHECK(test::difference(soft, cut) < 0.01 * test::largest(soft));
}

TEST_CASE("where none wins everywhere, the path that costs least stays, its first edge included") {
  cn::supernet<cn::spec<cn::nas_bench_201_cell>> net({.channels = 4, .cells = 1, .dtype = at::kDouble});
  std::vector<double> alpha(6 * 5, 0.0);
  for (std::size_t e = 0; e < 6; ++e) alpha[e * 5] = 9.0;
  for (const std::size_t e : {0U, 4U}) alpha[e * 5 + 3] = 8.9;  // 0 -> 1 -> 3
  test::assign(net.arch().alpha(0), alpha);
  CHECK(cn::to_text(cn::discretize(net)) ==
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|");
}

TEST_CASE("none may not take every path to the output: the best living cell, by all 15,625") {
  struct alive : cn::spec<cn::nas_bench_201_cell> {};
  struct as_published : cn::darts_spec<cn::nas_bench_201_cell> {};
  const auto& space = cn::table_v<alive>;
  const auto edges = space.normal.edges;
  const auto none =
      std::size_t(std::find(space.op_names.begin(), space.op_names.end(), "none") - space.op_names.begin());
  std::mt19937 random(17);  // NOLINT: the same weights on every run
  int revived = 0;
  for (int trial = 0; trial < 12; ++trial) {
    at::Tensor weights = at::empty({6, 5}, at::kDouble);
    double* w = weights.data_ptr<double>();
    for (int i = 0; i < 30; ++i) w[i] = double(1 + random() % 1000003) / 1000003.0;
    for (std::size_t e = 0; e < 6; ++e) w[e * 5 + none] *= 1.0 + trial;  // later trials die more often
    double best = -INFINITY;
    std::array<int, 6> wanted{};
    for (int cell = 0; cell < 15625; ++cell) {
      std::array<int, 6> ops{};
      double score = 0.0;
      std::uint32_t reached = 1;
      for (std::size_t e = 0, left = std::size_t(cell); e < 6; ++e, left /= 5) {
        ops[e] = int(left % 5);
        score += std::log(w[e * 5 + left % 5]);
        if (std::size_t(ops[e]) != none && ((reached >> edges[e].from) & 1U)) reached |= 1U << edges[e].to;
      }
      if (((reached >> 3) & 1U) && score > best) {
        best = score;
        wanted = ops;
      }
    }
    const auto cut = cn::cut_cell(space, space.normal, weights, {});
    const auto plain = cn::cut_cell(cn::table_v<as_published>, space.normal, weights, {});
    for (std::size_t e = 0; e < 6; ++e) {
      CAPTURE(trial);
      CAPTURE(e);
      CHECK(cut.ops[e] == std::vector<int>{wanted[e]});
      CHECK(plain.ops[e] == std::vector<int>{int(weights[std::int64_t(e)].argmax().item<std::int64_t>())});
    }
    revived += cut.ops != plain.ops ? 1 : 0;
  }
  CHECK(revived > 2);
  CHECK(revived < 12);
}

TEST_CASE("a threshold takes weak ops, their edges and their nodes out of the cut") {
  struct fair : cn::fair_darts_spec<cn::partial_channels<1>> {};
  const auto& space = cn::table_v<fair>;
  at::Tensor ops = at::full({14, 7}, 0.5, at::kDouble);
  ops[1][3] = 0.85;  // 1 -> 2, just strong enough
  ops[2][4] = 0.84;  // 0 -> 3, just too weak
  ops[9][0] = 0.9;   // 0 -> 5
  const auto cut = cn::cut_cell(space, space.normal, ops, {});
  CHECK(cut.kept.edges == ((1U << 1U) | (1U << 9U)));
  CHECK(cut.kept.alive == 0b100111U);
  CHECK(cn::to_text(cn::genotype_of(space, {cut, cut}), cn::dialect::fairdarts)
            .find("[('sep_conv_3x3', 2, 1), ('max_pool_3x3', 5, 0)]") != std::string::npos);
}

TEST_CASE("a budget of another graph is refused") {
  cn::supernet<k4<cn::edges_3_of_14>> net({.channels = 8, .cells = 1, .dtype = at::kDouble});
  using other = cn::budget_tables<cn::dense_cell<2, 3, cn::darts_ops>, cn::keep_all>;
  CHECK_THROWS_WITH_AS(cn::cut_network(net, other::normal, other::reduction),
                       doctest::Contains("another cell graph"), cn::error);
}

TEST_CASE("strongest ops: never none in the DARTS space, ties to the lower index, two where two are kept") {
  constexpr auto with_none = cn::table_v<cn::spec<cn::darts_cell_with_none, cn::edges_8_of_14>>;
  std::vector<double> weights(14 * 8, 0.1);
  weights[0] = 0.9;                       // none on edge 0
  weights[8 + 5] = weights[8 + 6] = 0.4;  // a tie on edge 1
  const auto one = cn::detail::strongest_ops(with_none, weights);
  CHECK(one[0] == std::vector<int>{1});
  CHECK(one[1] == std::vector<int>{5});
  constexpr auto pairs = cn::table_v<cn::spec<cn::darts_cell_with_none, cn::edges_8_of_14, cn::op_budget<2>>>;
  weights[8 + 2] = 0.7;
  const auto two = cn::detail::strongest_ops(pairs, weights);
  CHECK(two[0] == std::vector<int>{1, 2});
  CHECK(two[1] == std::vector<int>{2, 5});
}

TEST_CASE("what ranks edges: their weight, their strongest op, or the product") {
  at::Tensor ops = at::full({14, 7}, 0.1, at::kDouble);
  at::Tensor edges = at::full({14}, 0.2, at::kDouble);
  edges[2] = 0.5, edges[3] = 0.4;    // node 3: the edge weights prefer 0 -> 3,
  ops[3][4] = 0.4, ops[2][0] = 0.2;  // the product 1 -> 3,
  ops[4][1] = 0.6;                   // the ops 2 -> 3.
  const auto kept_of_node_3 = [&](const cn::space_table& space) {
    return cn::cut_cell(space, space.normal, ops, edges).kept.edges & 0b11100U;
  };
  CHECK(kept_of_node_3(cn::table_v<k4<cn::edges_4_of_14>>) == 0b00100U);
  CHECK(kept_of_node_3(cn::table_v<k4<cn::edges_4_of_14, cn::by_product>>) == 0b01000U);
  CHECK(kept_of_node_3(cn::table_v<cn::darts_spec<cn::edges_4_of_14>>) == 0b10000U);
}

TEST_CASE("a cut super-network computes what is left when ops and edges are taken away") {
  const auto check = [](auto spec, cn::compute_path path) {
    using space = decltype(spec);
    cn::supernet<space> net(options_of(path));
    settle(net);
    const auto soft = net.arch().fixed_weights();
    const auto cut = cn::cut_network(net);
    const auto x = images(4, 77);
    for (auto part : {cn::cut_part::ops, cn::cut_part::edges, cn::cut_part::both}) {
      for (bool at_one : {true, false}) {
        cn::network_weights masked;  // all ops computed, times zeros written here
        for (std::size_t type = 0; type < 2; ++type) {
          cn::cell_weights w{soft[type].ops.clone(), soft[type].edges.clone(), {}};
          for (std::int64_t e = 0; e < 14; ++e) {
            const bool kept = (cut[type].kept.edges >> e) & 1U;
            if (part != cn::cut_part::edges) {
              w.ops[e].zero_();
              for (int o : cut[type].ops[std::size_t(e)]) w.ops[e][o] = 1.0;
            }
            if (part != cn::cut_part::ops && !kept) w.edges[e] = 0.0;
            if (part != cn::cut_part::ops && kept && at_one) w.edges[e] = 1.0;
          }
          masked.push_back(w);
        }
        const auto hard = cn::cut_weights(net.space(), cut, soft, part, at_one);
        at::NoGradGuard no_grad;
        CHECK(test::difference(net.forward(x, hard), net.forward(x, masked)) < 1e-10);
        CHECK(test::difference(net.forward(x, hard), net.forward(x, soft)) > 1e-3);
      }
    }
    std::int64_t used = 0;  // the cut is not computed and then multiplied by zero
    const auto hard = cn::cut_weights(net.space(), cut, soft);
    for (char u : hard[0].used) used += u;
    CHECK(used == cn::kept_edges_v<space> * space::kept_ops::value);
  };
  for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
    check(k4<cn::edges_3_of_14>{}, path);
    check(k4<cn::edges_8_of_14, cn::partial_channels<1>>{}, path);
    check(k4<cn::edges_5_of_14, cn::op_budget<2>>{}, path);
  }
}

TEST_CASE("a node without input contributes zeros") {
  cn::supernet<k4<cn::edges_3_of_14>> net(
      {.channels = 8, .cells = 1, .classes = 4, .dtype = at::kDouble, .path = cn::compute_path::stock});
  settle(net);
  auto weights = cn::cut_weights(net.space(), cn::cut_network(net), net.arch().fixed_weights());
  const auto cut = cn::cut_network(net);
  const int dead = (cut[1].kept.alive >> 2) & 1U ? 3 : 2;
  CHECK(((cut[1].kept.alive >> dead) & 1U) == 0);
  at::NoGradGuard no_grad;
  const auto x = images(4);
  const auto before = net.forward(x, weights);
  for (const auto& p :
       net.named_parameters()) {  // its columns of the classifier then cannot matter; the others do
    if (p.key() == "classifier.weight") {
      const std::int64_t width = p.value().size(1) / 4;
      const_cast<at::Tensor&>(p.value()).slice(1, (dead - 2) * width, (dead - 1) * width).add_(100.0);
      CHECK(test::difference(net.forward(x, weights), before) == 0.0);
      const_cast<at::Tensor&>(p.value())
          .slice(1, (5 - dead - 2 + 0) * width, (5 - dead - 1) * width)
          .add_(100.0);
      CHECK(test::difference(net.forward(x, weights), before) > 1e-3);
    }
  }
}

TEST_CASE("no gap where there is nothing left to cut") {
  const auto check = [](auto spec) {
    using space = decltype(spec);
    cn::supernet<space> net(options_of());
    settle(net);
    // Two feasible kept sets at random, written into alpha and beta as extremes.
    const auto target = cn::random_cut(net.space(), net.space().normal, net.space().reduction, 4);
    for (int type = 0; type < 2; ++type) {
      std::vector<double> alpha(14 * 7, -60.0);
      std::vector<double> beta(14, -60.0);
      for (std::size_t e = 0; e < 14; ++e) {
        for (int o : target[std::size_t(type)].ops[e]) alpha[7 * e + std::size_t(o)] = 1.0;
        if ((target[std::size_t(type)].kept.edges >> e) & 1U) beta[e] = 1.0;
      }
      test::assign(net.arch().alpha(type), alpha);
      test::assign(net.arch().beta(type), beta);
    }
    const auto cut = cn::cut_network(net);
    for (std::size_t type = 0; type < 2; ++type) {
      CHECK(cut[type].kept.edges == target[type].kept.edges);
      for (std::size_t e = 0; e < 14; ++e) {  // the order of two equally strong ops is theirs by index
        auto wanted = target[type].ops[e];
        std::sort(wanted.begin(), wanted.end());
        CHECK(cut[type].ops[e] == wanted);
      }
    }
    at::NoGradGuard no_grad;
    const auto soft = net.arch().fixed_weights();
    const auto x = images(8);
    CHECK(test::difference(net.forward(x, soft), net.forward(x, cn::cut_weights(net.space(), cut, soft))) <
          1e-5);
    const auto gap = cn::measure_gap(net, cut, cn::sequential_batches(bytes(64), {.dtype = at::kDouble}));
    CHECK(gap.lost() == 0.0);
    CHECK(gap.before == gap.ops_cut);
    CHECK(gap.before == gap.edges_cut);
  };
  check(k4<cn::edges_3_of_14>{});
  check(k4<cn::edges_8_of_14>{});
  check(k4<cn::edges_6_of_14, cn::op_budget<2>>{});
}

TEST_CASE("the gap report: each number by hand, re-estimation leaves the network as it was") {
  cn::supernet<k4<cn::edges_5_of_14>> net(options_of());
  settle(net);
  net.train();
  const auto data = bytes(60);
  const cn::sequential_options batching{.batch_size = 16, .dtype = at::kDouble};
  const auto held_out = cn::sequential_batches(data, batching);
  const auto calibration = cn::sequential_batches(bytes(48, 10), batching);
  std::vector<at::Tensor> buffers;
  for (const auto& b : net.buffers()) buffers.push_back(b.clone());
  const auto cut = cn::cut_network(net);
  const auto gap = cn::measure_gap(net, cut, held_out, &calibration);
  CHECK(net.is_training());
  for (std::size_t i = 0; i < buffers.size(); ++i) CHECK(at::equal(net.buffers()[i], buffers[i]));

  at::NoGradGuard no_grad;
  const auto x = cn::sequential_batches(data, {.batch_size = 60, .dtype = at::kDouble}).batch(0);
  const auto percent = [&](const cn::network_weights& w) {
    net.eval();
    return 100.0 * (net.forward(x.images, w).argmax(1) == x.labels).sum().item<double>() / 60.0;
  };
  const auto soft = net.arch().fixed_weights();
  CHECK(gap.before == doctest::Approx(percent(soft)));
  CHECK(gap.ops_cut == doctest::Approx(percent(cn::cut_weights(net.space(), cut, soft, cn::cut_part::ops))));
  CHECK(gap.edges_cut ==
        doctest::Approx(percent(cn::cut_weights(net.space(), cut, soft, cn::cut_part::edges))));
  const auto both = cn::cut_weights(net.space(), cut, soft);
  CHECK(gap.after == doctest::Approx(percent(both)));
  CHECK(gap.after_soft_edges ==
        doctest::Approx(percent(cn::cut_weights(net.space(), cut, soft, cn::cut_part::both, false))));
  CHECK(gap.lost() == gap.before - gap.after);
  net.train();
  for (std::int64_t i = 0; i < 50; ++i) net.forward(calibration.batch(i % 3).images, both);
  CHECK(gap.after_reestimated.value() == doctest::Approx(percent(both)));
}

TEST_CASE("genotype of a super-network and back to its cut, the gap in float64") {
  cn::supernet<k4<cn::edges_3_of_14>> net(options_of());
  settle(net);
  const auto cut = cn::cut_network(net);
  const auto found = cn::discretize(net);
  const auto back = cn::cut_of(net, found);
  for (std::size_t type = 0; type < 2; ++type) {
    CHECK(back[type].kept.edges == cut[type].kept.edges);
    CHECK(back[type].kept.alive == cut[type].kept.alive);
    CHECK(back[type].ops == cut[type].ops);
  }
  CHECK(found.normal.concat == (cut[0].kept.alive & ~3U));
  const auto gap = cn::discretization_gap(net, found, bytes(32));
  CHECK(gap.after ==
        cn::measure_gap(net, cut, cn::sequential_batches(bytes(32), {.dtype = at::kDouble})).after);
}

TEST_CASE("an edge that does not exist in the super-network is not kept under another budget") {
  cn::supernet<cn::darts_spec<cn::edges_3_of_14>> net(options_of());  // has no 2 -> 3
  std::vector<double> alpha(14 * 7, 0.0);
  alpha[4 * 7 + 1] = 9.0;  // which would be the strongest edge
  for (int type = 0; type < 2; ++type) test::assign(net.arch().alpha(type), alpha);
  using other = cn::budget_tables<cn::darts_cell, cn::edges_8_of_14>;
  const auto cut = cn::cut_network(net, other::normal, other::reduction);
  CHECK(((cut[0].kept.edges >> 4) & 1U) == 0);
  CHECK(std::popcount(cut[0].kept.edges) == 8);
}

}  // namespace discretize_test
