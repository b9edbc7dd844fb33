// Equations 2 to 7 against hand-computed values, a second implementation in plain doubles, and finite
// differences.
#include <bit>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/loss/separation.hpp>
#include <string>

#include "support.hpp"

namespace loss_test {

namespace cn = crispnas;
using test::make_architecture;

namespace {

constexpr double tight = 1e-12;
constexpr double gradient_tolerance = 1e-6;

template <class... P>
using k4 = cn::spec<cn::darts_cell, P...>;
using joint = k4<cn::edges_3_of_14>;
using joint_plain = k4<cn::edges_3_of_14, cn::ignore_liveness>;
using joint_two = k4<cn::edge_budget<cn::keep<2, cn::nodes<2, 3>>, cn::keep<2, cn::nodes<4, 5>>>>;
using reversed_joint =
    k4<cn::edge_budget<cn::keep<1, cn::nodes<5>>, cn::keep<1, cn::nodes<4>>, cn::keep<1, cn::nodes<2, 3>>>>;

double entropy(const std::vector<double>& logits) {
  double sum = 0.0;
  for (double x : logits) sum += std::exp(x);
  double h = 0.0;
  for (double x : logits) h -= std::exp(x) / sum * std::log(std::exp(x) / sum);
  return h;
}

/// |sum of the positive ones - target|^2.
double distance(const std::vector<double>& values, double target) {
  double sum = 0.0;
  for (double x : values) sum += x > 0 ? x : 0.0;
  return (sum - target) * (sum - target);
}

std::vector<double> capped(std::vector<double> v) {
  for (double& x : v) x = std::min(x, 1.0);
  return v;
}

/// The two halves of equation 4 over groups of a cell, without liveness.
struct reference_terms {
  double entropy = 0.0;
  double distance = 0.0;
};
reference_terms edge_reference(const cn::architecture& arch) {
  reference_terms sum;
  for (int type = 0; type < 2; ++type) {
    const auto& cell = arch.space().cell(type);
    const auto beta = capped(test::numbers(arch.beta(type)));
    for (const auto& group : cell.groups) {
      std::vector<double> members;
      for (std::size_t e = 0; e < beta.size(); ++e) {
        if (((group.edges & cell.present) >> e) & 1U) members.push_back(beta[e]);
      }
      if (std::size_t(group.kept) == members.size()) continue;
      sum.entropy += entropy(members);
      sum.distance += distance(members, group.kept);
    }
  }
  return sum;
}

double factor_of(const cn::loss_terms& terms, const std::string& name) {
  for (const auto& t : terms) {
    if (t.name == name) return t.factor;
  }
  return NAN;
}

}  // namespace

TEST_CASE("op entropy: by hand") {
  auto arch = make_architecture<k4<cn::edges_8_of_14>>(0.0);
  CHECK(cn::op_entropy(arch).item<double>() == doctest::Approx(28 * std::log(7.0)).epsilon(tight));
  std::vector<double> alpha(14 * 7, 0.0);
  for (int o = 0; o < 7; ++o) alpha[std::size_t(o)] = o == 0 ? std::log(6.0) : 0.0;  // 6/12, and six of 1/12
  test::assign(arch.alpha(0), alpha);
  const double first = 0.5 * std::log(2.0) + 0.5 * std::log(12.0);
  CHECK(cn::op_entropy(arch).item<double>() == doctest::Approx(27 * std::log(7.0) + first).epsilon(tight));
}

TEST_CASE("op entropy: a second implementation, edges that do not exist have none") {
  auto arch = make_architecture<joint>(1.0);
  double wanted = 0.0;
  for (int type = 0; type < 2; ++type) {
    const auto a = test::numbers(arch.alpha(type));
    for (std::size_t e = 0; e < 14; ++e) {
      if (e != 4)
        wanted +=
            entropy({a.begin() + std::ptrdiff_t(7 * e), a.begin() + std::ptrdiff_t(7 * e + 7)});  // 4: 2 -> 3
    }
  }
  CHECK(cn::op_entropy(arch).item<double>() == doctest::Approx(wanted).epsilon(tight));
  const auto g = test::gradient(cn::op_entropy(arch), arch.alpha(1));
  CHECK(g.select(0, 4).abs().max().item<double>() == 0.0);
  CHECK(g.select(0, 3).abs().max().item<double>() > 1e-3);
}

TEST_CASE("two ops per edge: equation 4 on the ops of an edge") {
  const auto check = [](cn::architecture arch) {
    double wanted = 0.0;
    for (int type = 0; type < 2; ++type) {
      const auto a = capped(test::numbers(arch.alpha(type)));
      for (std::size_t e = 0; e < 14; ++e) {
        if (!arch.space().cell(type).has(e)) continue;
        const std::vector<double> row(a.begin() + std::ptrdiff_t(7 * e),
                                      a.begin() + std::ptrdiff_t(7 * e + 7));
        wanted += entropy(row) + distance(row, 2);
      }
    }
    CHECK(cn::op_entropy(arch).item<double>() == doctest::Approx(wanted).epsilon(tight));
    for (int type = 0; type < 2; ++type) {
      CHECK(test::gradient_error([&] { return cn::op_entropy(arch); }, arch.alpha(type)) <
            gradient_tolerance);
    }
  };
  check(make_architecture<k4<cn::edges_6_of_14, cn::op_budget<2>>>(0.8));
  check(make_architecture<k4<cn::edges_3_of_14, cn::op_budget<2>>>(0.8));  // has no 2 -> 3
}

TEST_CASE("edge terms: by hand, 8 of 14") {
  auto arch = make_architecture<k4<cn::edges_8_of_14>>(0.0);
  // node 2 keeps both of its edges: nothing to choose, no term.
  auto terms = cn::edge_entropy(arch);
  CHECK(terms.entropy.item<double>() == doctest::Approx(2 * std::log(3.0 * 4.0 * 5.0)).epsilon(tight));
  CHECK(std::abs(terms.distance.item<double>()) < tight);
  // node 3: 1, 1.5 (capped at 1), -2 -> distance 0; node 4: 0.5, 0.5, 0.5, -1 -> 0.25; node 5: all -1 -> 4.
  test::assign(arch.beta(0), {-3, 9, 1, 1.5, -2, 0.5, 0.5, 0.5, -1, -1, -1, -1, -1, -1});
  terms = cn::edge_entropy(arch);
  CHECK(terms.distance.item<double>() == doctest::Approx(0.25 + 4.0).epsilon(tight));
  const double wanted = entropy({1, 1, -2}) + entropy({0.5, 0.5, 0.5, -1}) + std::log(5.0) + std::log(60.0);
  CHECK(terms.entropy.item<double>() == doctest::Approx(wanted).epsilon(tight));
  for (const auto& part : {terms.entropy, terms.distance}) {
    CHECK(test::gradient(part, arch.beta(0)).slice(0, 0, 2).abs().max().item<double>() == 0.0);
  }
}

TEST_CASE("edge terms: a second implementation, for every preset without liveness") {
  const auto check = [](const cn::space_table& space) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      auto arch = make_architecture(space, 0.9, seed);
      const auto terms = cn::edge_entropy(arch);
      const auto wanted = edge_reference(arch);
      CHECK(terms.entropy.item<double>() == doctest::Approx(wanted.entropy).epsilon(tight));
      CHECK(terms.distance.item<double>() == doctest::Approx(wanted.distance).epsilon(tight));
    }
  };
  check(cn::table_v<joint_plain>);
  check(cn::table_v<k4<cn::edges_4_of_14>>);
  check(cn::table_v<k4<cn::edges_5_of_14>>);
  check(cn::table_v<k4<cn::edges_6_of_14>>);
  check(cn::table_v<k4<cn::edges_7_of_14>>);
  check(cn::table_v<k4<cn::edges_8_of_14>>);
  check(cn::table_v<k4<cn::cells<cn::edges_4_of_14, cn::edges_8_of_14>>>);
}

TEST_CASE("edge entropy with liveness: shares go with the mass of the source") {
  // 3 of 14, edges by target: 0,1->2 | 0,1,(2)->3 | 0,1,2,3->4 | 0,1,2,3,4->5
  const std::vector<double> beta{0.3, -0.4, 0.7, 0.1, 5.0, -0.2, 0.9, 0.6, 0.4, 0.8, -0.1, 0.2, 0.5, 0.35};
  double h = 0.0;
  std::vector<double> mass{1, 1, 0, 0, 0, 0};
  const auto group = [&](const std::vector<std::size_t>& members, const std::vector<int>& from) {
    std::vector<double> share;
    double sum = 0.0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      share.push_back(mass[std::size_t(from[i])] * std::exp(beta[members[i]]));
      sum += share.back();
    }
    for (double& s : share) {
      s /= sum;
      h -= s * std::log(s);
    }
    return share;
  };
  const auto first = group({0, 1, 2, 3}, {0, 1, 0, 1});
  mass[2] = first[0] + first[1];
  mass[3] = first[2] + first[3];
  group({5, 6, 7, 8}, {0, 1, 2, 3});
  mass[4] = 1.0;  // its group keeps one edge and all of it enters node 4
  group({9, 10, 11, 12, 13}, {0, 1, 2, 3, 4});
  const auto check = [&](const cn::space_table& space) {
    auto arch = make_architecture(space, 0.0);
    test::assign(arch.beta(0), beta);
    test::assign(arch.beta(1), beta);
    const auto terms = cn::edge_entropy(arch);
    CHECK(terms.entropy.item<double>() == doctest::Approx(2 * h).epsilon(1e-10));
    CHECK(terms.distance.item<double>() ==
          doctest::Approx(2 * (0.1 * 0.1 + 0.9 * 0.9 + 0.85 * 0.85)).epsilon(tight));
  };
  check(cn::table_v<joint>);
  check(cn::table_v<reversed_joint>);  // the order in which groups are written means nothing
}

TEST_CASE("gradients of every term against central differences") {
  const auto check = [](const cn::space_table& space) {
    auto arch = make_architecture(space, 0.45, 11);
    for (int type = 0; type < 2; ++type) {
      CHECK(test::gradient_error([&] { return cn::op_entropy(arch); }, arch.alpha(type)) <
            gradient_tolerance);
      CHECK(test::gradient_error([&] { return cn::edge_entropy(arch).entropy; }, arch.beta(type)) <
            gradient_tolerance);
      CHECK(test::gradient_error([&] { return cn::edge_entropy(arch).distance; }, arch.beta(type)) <
            gradient_tolerance);
    }
  };
  check(cn::table_v<joint>);
  check(cn::table_v<joint_plain>);
  check(cn::table_v<joint_two>);
  check(cn::table_v<k4<cn::edges_5_of_14>>);
  check(cn::table_v<k4<cn::edges_8_of_14, cn::live_sources>>);
}

TEST_CASE("B holds only positive betas: none at zero") {
  auto arch = make_architecture<k4<cn::edges_4_of_14>>(0.0);
  test::assign(arch.beta(0), {0.0, 0.25, 0.5, -0.5, 0.0, 0, 0, 0, 0, 1, 0, 0, 0, 0});
  const auto g = test::numbers(test::gradient(cn::edge_entropy(arch).distance, arch.beta(0)));
  CHECK(g[0] == 0.0);
  CHECK(g[1] == doctest::Approx(2 * (0.25 - 1.0)).epsilon(tight));
  CHECK(g[2] == doctest::Approx(2 * (0.5 - 1.0)).epsilon(tight));
  CHECK(g[3] == 0.0);
  CHECK(g[4] == 0.0);
}

TEST_CASE("the cap at 1: clamped betas feel nothing above it, projected ones are set back") {
  const std::vector<double> beta{1.5, 0.5, 1.2, 0.3, 0.1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  auto clamped = make_architecture<k4<cn::edges_4_of_14>>(0.0);
  auto projected = make_architecture<k4<cn::edges_4_of_14, cn::projected_beta>>(0.0);
  for (auto* arch : {&clamped, &projected}) test::assign(arch->beta(0), beta);
  const auto all = [](const cn::architecture& a) {
    return cn::edge_entropy(a).entropy + cn::edge_entropy(a).distance;
  };
  auto g = test::numbers(test::gradient(all(clamped), clamped.beta(0)));
  CHECK(g[0] == 0.0);
  CHECK(g[2] == 0.0);
  CHECK(g[1] != 0.0);
  clamped.project();
  CHECK(test::numbers(clamped.beta(0)) == beta);
  projected.project();
  CHECK(test::numbers(projected.beta(0)) == capped(beta));
  g = test::numbers(test::gradient(cn::edge_entropy(projected).distance, projected.beta(0)));
  CHECK(g[0] == doctest::Approx(2 * (1.0 + 0.5 - 1.0)).epsilon(tight));  // at the cap it is still pulled down
}

TEST_CASE("finite in float with one logit, and all but one, at -50 and beyond") {
  for (double low : {-2.4, -50.0, -200.0}) {
    for (bool many : {false, true}) {
      auto arch = make_architecture<joint>(0.0, 1, at::kFloat);
      for (int type = 0; type < 2; ++type) {
        std::vector<double> alpha(14 * 7, many ? low : 0.0);
        for (std::size_t e = 0; e < 14; ++e) alpha[7 * e + 2] = many ? 0.0 : low;
        std::vector<double> beta(14, many ? low : 0.5);
        for (const std::size_t e : {0U, 6U, 11U}) beta[e] = many ? 1.0 : low;
        test::assign(arch.alpha(type), alpha);
        test::assign(arch.beta(type), beta);
      }
      for (const auto& term : cn::regularizer_terms<cn::da2s<>>::at(arch, 50, 50)) {
        CAPTURE(term.name);
        CHECK(std::isfinite(term.value.item<double>()));
        for (const auto& x : {arch.alpha(0), arch.alpha(1), arch.beta(0), arch.beta(1)}) {
          CHECK(at::isfinite(test::gradient(term.value, x)).all().item<bool>());
        }
      }
      if (many && low < -40) {
        CHECK(std::abs(cn::op_entropy(arch).item<double>()) < 1e-6);
      } else if (!many && low < -40) {
        CHECK(cn::op_entropy(arch).item<double>() == doctest::Approx(26 * std::log(6.0)).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("equation 7: factors by epoch, names, and the weighted sum") {
  auto arch = make_architecture<joint>(0.5);
  for (int epoch : {1, 7, 8, 9, 25, 50}) {
    const double c = (epoch - 1) / 49.0;
    const double log = epoch < 8 ? 0.0 : std::log(epoch - 7.0) / std::log(43.0);
    const auto terms = cn::regularizer_terms<cn::da2s<>>::at(arch, epoch, 50);
    REQUIRE(terms.size() == 3);
    CHECK(factor_of(terms, "op_entropy") == doctest::Approx(c * log).epsilon(tight));
    CHECK(factor_of(terms, "edge_entropy") == doctest::Approx(4 * c).epsilon(tight));
    CHECK(factor_of(terms, "target_distance") == doctest::Approx(4 * c).epsilon(tight));
    const auto edges = cn::edge_entropy(arch);
    const double wanted = c * (log * cn::op_entropy(arch).item<double>() +
                               4 * (edges.entropy.item<double>() + edges.distance.item<double>()));
    const at::Tensor sum = cn::weighted_sum(terms);
    CHECK((sum.defined() ? sum.item<double>() : 0.0) == doctest::Approx(wanted).epsilon(tight));
  }
  using namespace cn;
  using mine =
      da2s<lambda_2<schedules::step>, lambda_c<schedules::constant>, lambda_1<schedules::exponential>>;
  const auto terms = regularizer_terms<mine>::at(arch, 30, 50);
  CHECK(factor_of(terms, "op_entropy") == doctest::Approx(std::pow(2.0, -4.0)).epsilon(tight));
  CHECK(factor_of(terms, "target_distance") == doctest::Approx(4.0 * 2.0 / 3.0).epsilon(tight));
  CHECK(regularizer_terms<no_regularizer>::at(arch, 3, 5).empty());
}

TEST_CASE("the authors' code: its alpha transform and factors") {
  auto arch = make_architecture<cn::authors_code_spec>(0.7);
  double wanted = 0.0;
  for (int type = 0; type < 2; ++type) {
    const auto a = test::numbers(arch.alpha(type));
    for (std::size_t e = 0; e < 14; ++e) {
      std::vector<double> row;
      for (std::size_t o = 0; o < 7; ++o) {
        const double x = 2 * a[7 * e + o];
        row.push_back(x < -1 ? x * x * x : x);
      }
      wanted += entropy(row);
    }
  }
  const auto terms = cn::regularizer_terms<cn::da2s_authors_code>::at(arch, 50, 50);
  CHECK(terms.at(0).value.item<double>() == doctest::Approx(wanted).epsilon(tight));
  CHECK(terms.at(0).factor == doctest::Approx(0.1 * std::log(43.0) / std::log(42.0)).epsilon(tight));
  CHECK(factor_of(terms, "edge_entropy") == doctest::Approx(0.4).epsilon(tight));
  CHECK(factor_of(terms, "target_distance") == doctest::Approx(0.08).epsilon(tight));
  const auto earlier = cn::regularizer_terms<cn::da2s_authors_code>::at(arch, 30, 50);
  CHECK(factor_of(earlier, "edge_entropy") == doctest::Approx(0.4 * 29.0 / 49.0).epsilon(tight));
  CHECK(test::gradient_error(
            [&] { return cn::regularizer_terms<cn::da2s_authors_code>::at(arch, 50, 50)[0].value; },
            arch.alpha(0)) < gradient_tolerance);
}

TEST_CASE("separation: the mean squared distance of the sigmoids to one half, over the edges that exist") {
  auto arch = make_architecture<
      k4<cn::edges_3_of_14, cn::no_edge_weights, cn::sigmoid_ops, cn::separation<>, cn::ignore_liveness>>(
      0.8);
  double wanted = 0.0;
  for (int type = 0; type < 2; ++type) {
    const auto a = test::numbers(arch.alpha(type));
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (i / 7 == 4) continue;  // 2 -> 3
      const double distance = 1.0 / (1.0 + std::exp(-a[i])) - 0.5;
      wanted += distance * distance / (2 * 13 * 7);
    }
  }
  const auto terms = cn::regularizer_terms<cn::separation<>>::at(arch, 3, 50);
  REQUIRE(terms.size() == 1);
  CHECK(terms[0].value.item<double>() == doctest::Approx(wanted).epsilon(tight));
  CHECK(factor_of(terms, "separation") == -10.0);
  CHECK(factor_of(cn::regularizer_terms<cn::separation<3>>::at(arch, 3, 50), "separation") == -3.0);
}

TEST_CASE("a sum of terms: a factor that is not given is 1, factors of 0 leave nothing to add") {
  const at::Tensor two = test::doubles({2.0}).sum();
  CHECK(cn::weighted_sum({{"a", two}, {"b", two, 0.25}}).item<double>() == 2.5);
  CHECK(!cn::weighted_sum({{"a", two, 0.0}}).defined());
  CHECK(!cn::weighted_sum({}).defined());
}

TEST_CASE("shares below 1e-12 enter the entropy with the logarithm of 1e-12") {
  const auto entropy_by = [](double share, double wanted) {
    return cn::entropy_of_shares(test::doubles({share})).item<double>() / wanted;
  };
  CHECK(cn::entropy_of_shares(test::doubles({0.0, 1.0})).item<double>() == 0.0);
  CHECK(entropy_by(1e-13, 1e-13 * std::log(1e12)) == doctest::Approx(1.0).epsilon(tight));
  CHECK(entropy_by(1e-11, 1e-11 * std::log(1e11)) == doctest::Approx(1.0).epsilon(tight));
}

}  // namespace loss_test
