#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <crispnas/spec.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace spec_test {

namespace cn = crispnas;
namespace schedules = crispnas::schedules;
namespace authors = crispnas::authors_schedules;

namespace {

// The published numbers have three decimals.
constexpr double published_rounding = 5e-4;
constexpr double exact = 1e-12;

template <class S>
void matches(const std::vector<double>& golden) {
  const int epochs[] = {1, 8, 9, 25, 50};
  for (std::size_t i = 0; i < golden.size(); ++i) {
    CAPTURE(epochs[i]);
    CHECK(std::abs(S::at(epochs[i], 50) - golden[i]) <= published_rounding);
  }
}

template <class S>
void rises_within(double highest) {
  for (int epochs : {1, 2, 3, 5, 8, 13, 50, 600}) {
    CAPTURE(epochs);
    double before = 0;
    for (int e = 1; e <= epochs; ++e) {
      CAPTURE(e);
      const double value = S::at(e, epochs);
      CHECK(std::isfinite(value));
      CHECK(value >= before);
      CHECK(value <= highest);
      before = value;
    }
  }
}

}  // namespace

TEST_CASE("schedules at epochs 1, 8, 9, 25, 50 of 50 are those of the authors' code") {
  matches<schedules::constant>({1, 1, 1, 1, 1});
  matches<schedules::linear>({0, .143, .163, .490, 1});
  matches<schedules::logarithmic>({0, .532, .562, .823, 1});
  matches<schedules::exponential>({.0011, .003, .0034, .031, 1});
  matches<schedules::step>({0, 0, 0, 2. / 3, 1});
  // 2^(-49/5): three decimals of a small number say little.
  CHECK(schedules::exponential::at(1, 50) == doctest::Approx(std::pow(2.0, -9.8)).epsilon(exact));
}

TEST_CASE("the authors' shifted schedules at epochs 1, 8, 9, 25, 50 of 50") {
  matches<authors::constant>({0, 0, 1, 1, 1});
  matches<authors::linear>({0, 0, 1. / 42, 17. / 42, 1});
  matches<authors::logarithmic>({0, 0, .185, .773, 1.006});
  matches<authors::exponential>({0, 0, .0034, .031, 1});
  matches<authors::step>({0, 0, 0, 1. / 3, 1});
  matches<authors::sigmoid>({1 / (1 + std::exp(4.8)), 1 / (1 + std::exp(3.4)), 1 / (1 + std::exp(3.2)), .5,
                             1 / (1 + std::exp(-5.))});
  matches<authors::delayed_sigmoid>({0, 1 / (1 + std::exp(5.25)), 1 / (1 + std::exp(5.)),
                                     1 / (1 + std::exp(1.)), 1 / (1 + std::exp(-5.25))});
  // Above 1 at the end, as published.
  CHECK(authors::logarithmic::at(50, 50) == doctest::Approx(std::log(43.0) / std::log(42.0)).epsilon(exact));
  CHECK(authors::logarithmic::at(50, 50) > 1);
}

TEST_CASE("delayed schedules are zero before epoch 8 of 50 and then run over what is left") {
  using delayed_log = schedules::delayed<schedules::logarithmic>;
  for (int e = 1; e < 8; ++e) {
    CHECK(schedules::delayed<schedules::constant>::at(e, 50) == 0);
    CHECK(delayed_log::at(e, 50) == 0);
  }
  CHECK(schedules::delayed<schedules::constant>::at(8, 50) == 1);
  CHECK(delayed_log::at(8, 50) == 0);
  CHECK(delayed_log::at(9, 50) == doctest::Approx(std::log(2.0) / std::log(43.0)).epsilon(exact));
  CHECK(delayed_log::at(50, 50) == doctest::Approx(1).epsilon(exact));
  CHECK(schedules::delayed<schedules::linear>::at(29, 50) == doctest::Approx(0.5).epsilon(exact));
  CHECK(schedules::delayed<schedules::step>::at(17, 50) == 0);
  CHECK(schedules::delayed<schedules::step>::at(18, 50) == doctest::Approx(1. / 3).epsilon(exact));
  CHECK(schedules::delayed<schedules::exponential>::at(7, 50) == 0);
  CHECK(schedules::delayed<schedules::exponential>::at(50, 50) == 1);
}

TEST_CASE("a delay is a fraction of the run") {
  CHECK(schedules::delay_epoch(50) == 8);
  CHECK(schedules::delay_epoch(100) == 16);
  CHECK(schedules::delay_epoch(600) == 96);
  CHECK(schedules::delay_epoch(25) == 4);
  CHECK(schedules::delay_epoch(1) == 1);
  CHECK(schedules::delayed<schedules::constant>::at(15, 100) == 0);
  CHECK(schedules::delayed<schedules::constant>::at(16, 100) == 1);
  CHECK(authors::constant::at(16, 100) == 0);
  CHECK(authors::constant::at(17, 100) == 1);
}

TEST_CASE("schedules keep their shape in a run of 8 epochs") {
  CHECK(schedules::linear::at(1, 8) == 0);
  CHECK(schedules::linear::at(4, 8) == doctest::Approx(3. / 7).epsilon(exact));
  CHECK(schedules::linear::at(8, 8) == 1);
  CHECK(schedules::logarithmic::at(2, 8) == doctest::Approx(1. / 3).epsilon(exact));
  CHECK(schedules::logarithmic::at(8, 8) == doctest::Approx(1).epsilon(exact));
  // The 5 of 50 epochs is a tenth of the run.
  CHECK(schedules::exponential::at(8, 8) == 1);
  CHECK(schedules::exponential::at(4, 8) ==
        doctest::Approx(schedules::exponential::at(25, 50)).epsilon(exact));
  const double steps[] = {0, 1. / 3, 1. / 3, 2. / 3, 2. / 3, 1, 1, 1};
  for (int e = 1; e <= 8; ++e)
    CHECK(schedules::step::at(e, 8) == doctest::Approx(steps[e - 1]).epsilon(exact));
  CHECK(authors::sigmoid::at(4, 8) == 0.5);
}

TEST_CASE("schedules rise from 0 to 1, only the authors' shifted log leaves that range") {
  rises_within<schedules::constant>(1);
  rises_within<schedules::linear>(1);
  rises_within<schedules::logarithmic>(1);
  rises_within<schedules::exponential>(1);
  rises_within<schedules::step>(1);
  rises_within<schedules::delayed<schedules::constant>>(1);
  rises_within<schedules::delayed<schedules::linear>>(1);
  rises_within<schedules::delayed<schedules::logarithmic>>(1);
  rises_within<schedules::delayed<schedules::exponential>>(1);
  rises_within<schedules::delayed<schedules::step>>(1);
  rises_within<authors::constant>(1);
  rises_within<authors::linear>(1);
  rises_within<authors::exponential>(1);
  rises_within<authors::step>(1);
  rises_within<authors::sigmoid>(1);
  rises_within<authors::delayed_sigmoid>(1);
  // ln(n + 1) / ln(n) is largest at the shortest run, n = 2.
  rises_within<authors::logarithmic>(std::log(3.0) / std::log(2.0));
}

namespace {

/// The union of all feasible kept sets and the living sets, by trying every subset of the edges.
struct by_trial {
  std::uint64_t possible = 0;
  std::vector<bool> living;
};

by_trial try_all(const std::vector<cn::edge>& edges, const std::vector<cn::group_table>& groups, int inputs,
                 int nodes, cn::cell_output output) {
  by_trial found{0, std::vector<bool>(std::size_t{1} << nodes)};
  for (std::uint64_t set = 1; set < (std::uint64_t{1} << edges.size()); ++set) {
    bool fits = true;
    for (const auto& g : groups) fits = fits && std::popcount(set & g.edges) == g.kept;
    std::uint32_t entered = 0;
    for (std::size_t e = 0; e < edges.size(); ++e) {
      if ((set >> e) & 1U) entered |= 1U << edges[e].to;
    }
    for (std::size_t e = 0; e < edges.size(); ++e) {
      if (((set >> e) & 1U) && edges[e].from >= inputs && !((entered >> edges[e].from) & 1U)) fits = false;
    }
    if (output == cn::cell_output::last && !((entered >> (inputs + nodes - 1)) & 1U)) fits = false;
    if (!fits) continue;
    found.possible |= set;
    found.living[entered >> inputs] = true;
  }
  return found;
}

}  // namespace

TEST_CASE("possible edges and living sets of random graphs and budgets agree with trying every subset") {
  std::mt19937 random(20);  // NOLINT: the same graphs on every run
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int feasible = 0;
  int infeasible = 0;
  int with_impossible_edges = 0;
  for (int trial = 0; trial < 400; ++trial) {
    CAPTURE(trial);
    const int inputs = 1 + below(2);
    const int nodes = 1 + below(4);
    std::vector<cn::edge> edges;
    for (int to = inputs; to < inputs + nodes; ++to) {
      for (int from = 0; from < to; ++from) {
        if (below(4) > 0 && edges.size() < 11) edges.push_back({from, to});
      }
    }
    if (edges.empty()) continue;
    std::vector<cn::group_table> groups(static_cast<std::size_t>(1 + below(nodes)));
    for (int s = inputs; s < inputs + nodes; ++s)
      groups[static_cast<std::size_t>(below(static_cast<int>(groups.size())))].nodes |= 1U << s;
    for (auto& g : groups) {
      for (std::size_t e = 0; e < edges.size(); ++e) {
        if ((g.nodes >> edges[e].to) & 1U) g.edges |= std::uint64_t{1} << e;
      }
      g.kept = below(std::popcount(g.edges) + 1);
    }
    const auto output = below(3) == 0 ? cn::cell_output::last : cn::cell_output::concat;
    const by_trial expected = try_all(edges, groups, inputs, nodes, output);
    std::vector<bool> living(std::size_t{1} << nodes);
    cn::for_each_living_set(edges, groups, inputs, nodes, output,
                            [&](std::uint32_t alive) { living[alive >> inputs] = true; });
    CHECK(cn::possible_edges(edges, groups, inputs, nodes, output) == expected.possible);
    CHECK(living == expected.living);
    (expected.possible != 0 ? feasible : infeasible) += 1;
    if (expected.possible != 0 && std::popcount(expected.possible) < static_cast<int>(edges.size()))
      ++with_impossible_edges;
  }
  // The property says little unless all three kinds occur.
  CHECK(feasible > 50);
  CHECK(infeasible > 50);
  CHECK(with_impossible_edges > 50);
}

}  // namespace spec_test
