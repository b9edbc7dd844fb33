// The published super-networks against ours, tensor by tensor; README.md says how the files were made. Every
// comparison is made in float64 and float32, and on every compute path that the space has.
#include <algorithm>
#include <crispnas/discretize/discretize.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/loss/separation.hpp>
#include <crispnas/search/search_step.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "files.hpp"
#include "support.hpp"

namespace parity_test {

namespace cn = crispnas;

namespace {

/// Of the largest element.
constexpr double float64_tolerance = 1e-9;
constexpr double float32_tolerance = 1e-4;

// As make_fixtures.py has them.
constexpr cn::sgd_options sgd{.rate = 0.05, .momentum = 0.9, .weight_decay = 3e-4};
constexpr cn::adam_options adam{.rate = 0.02, .weight_decay = 1e-3};
constexpr cn::sgd_options fair_sgd{.rate = 0.005, .momentum = 0.9, .weight_decay = 3e-4};
constexpr cn::adam_options fair_adam{.rate = 3e-3, .beta1 = 0.9, .weight_decay = 1e-3};
constexpr double clip = 5.0;
constexpr int steps = 10;
constexpr int batches = 6;
constexpr std::int64_t images = 4;  // in a batch
constexpr int daas_epoch = 30;
constexpr int daas_epochs = 50;

struct darts {
  using spec = cn::darts_spec<cn::darts_cell_with_none, cn::partial_channels<1>>;
  static constexpr auto name = "darts";
  static constexpr int channels = 4;
};
struct pc_darts {
  using spec = cn::pc_darts_spec<cn::darts_cell_with_none>;
  static constexpr auto name = "pc_darts";
  static constexpr int channels = 8;
};
struct daas {
  using spec = cn::authors_code_spec;
  static constexpr auto name = "daas";
  static constexpr int channels = 4;
};
struct fair_darts {
  using spec = cn::fair_darts_spec<cn::partial_channels<1>>;
  static constexpr auto name = "fair_darts";
  static constexpr int channels = 4;
};
struct autodl {
  using spec = cn::darts_spec<cn::nas_bench_201_cell>;
  static constexpr auto name = "autodl";
  static constexpr int channels = 4;
};

std::filesystem::path file_of(const std::string& name, const char* part) {
  return std::filesystem::path(CRISPNAS_PARITY_FIXTURES) / (name + "." + part + ".safetensors");
}

class expected {
 public:
  explicit expected(const std::string& name) {
    for (auto& [key, values] : cn::read_safetensors(file_of(name, "expected"))) all_.emplace(key, values);
  }
  const at::Tensor& operator[](const std::string& key) const {
    REQUIRE_MESSAGE(all_.contains(key), key);
    return all_.at(key);
  }
  /// The published code's number in the precision of `dtype`.
  const at::Tensor& in(at::ScalarType dtype, const std::string& key) const {
    return (*this)[dtype == at::kFloat ? key + ".f32" : key];
  }
  bool has(const std::string& key) const { return all_.contains(key); }
  cn::labelled_batch batch(std::int64_t i, at::ScalarType dtype) const {
    const auto part = [&](const char* name) { return (*this)[name].slice(0, images * i, images * (i + 1)); };
    return {part("images").to(dtype), part("labels")};
  }

 private:
  std::map<std::string, at::Tensor> all_;
};

template <class Published>
cn::supernet<typename Published::spec> network(at::ScalarType dtype, cn::compute_path path) {
  const bool stacked = cn::table_v<typename Published::spec>.layout == cn::skeleton::stacked;
  cn::supernet<typename Published::spec> net({.channels = Published::channels,
                                              .cells = stacked ? 3 : 1,
                                              .classes = 5,
                                              .seed = 12345,
                                              .dtype = dtype,
                                              .path = path});
  cn::load_state(cn::published_state(net), file_of(Published::name, "state"));
  net.train();
  return net;
}

/// Calls `body(dtype, path)` for both precisions and every path.
template <class Published, class Body>
void everywhere(Body&& body) {
  for (auto dtype : {at::kDouble, at::kFloat}) {
    for (auto path : {cn::compute_path::stock, cn::compute_path::fused}) {
      if (path == cn::compute_path::fused &&
          !cn::has_fused_form(cn::kernels::plan_v<typename Published::spec>))
        continue;
      CAPTURE(at::toString(dtype));
      CAPTURE(int(path));
      body(dtype, path);
    }
  }
}

double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? float32_tolerance : float64_tolerance;
}

/// Largest difference, relative to the largest element of what is expected.
double relative(const at::Tensor& ours, const at::Tensor& theirs) {
  return test::difference(ours, theirs) / std::max(test::largest(theirs.to(at::kDouble)), 1e-300);
}

enum class part { weight, statistic, searched };
part part_of(const std::string& name) {
  if (name.ends_with("running_mean") || name.ends_with("running_var")) return part::statistic;
  return name.starts_with("alphas") || name.starts_with("beta") || name == "arch_parameters" ? part::searched
                                                                                             : part::weight;
}

/// The state's tensors of one part, by name.
template <class Net>
std::map<std::string, at::Tensor> state_of(const Net& net, part wanted) {
  std::map<std::string, at::Tensor> all;
  for (const auto& [name, values] : cn::published_state(net)) {
    if (part_of(name) == wanted) all.emplace(name, values);
  }
  return all;
}

/// One vector of all values, in the order of the names.
at::Tensor joined(const std::map<std::string, at::Tensor>& named) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, values] : named) flat.push_back(values.detach().reshape(-1));
  return at::cat(flat);
}

std::vector<at::Tensor> searched_of(cn::any_supernet& net) {
  std::vector<at::Tensor> all = net.arch().alphas();
  all.insert(all.end(), net.arch().betas().begin(), net.arch().betas().end());
  return all;
}

/// What belongs to alpha and beta (their gradients, in the order of searched_of), under the published names.
std::map<std::string, at::Tensor> published(cn::any_supernet& net,
                                            const std::vector<at::Tensor>& of_searched) {
  std::map<std::string, at::Tensor> all;
  std::size_t i = 0;
  const bool autodl = net.space().layout != cn::skeleton::stacked;
  for (const auto& [name, values] : net.arch().named()) {
    const at::Tensor& mine = of_searched[i++];
    if (!net.space().swapped_betas || name.starts_with("alpha")) {
      all.emplace(autodl ? "arch_parameters" : name, mine);
      continue;
    }
    const std::string rows = name == "betas_normal" ? "beta_normal" : "beta_reduce";
    for (std::int64_t row = 0, begin = 2; row < 3; begin += 3 + row, ++row) {
      all.emplace(rows + std::to_string(row), mine.slice(0, begin, begin + 3 + row).view({1, 3 + row}));
    }
  }
  return all;
}

template <class Published>
cn::step_losses losses_of() {
  if constexpr (std::is_same_v<Published, daas>) {
    return {&cn::regularizer_terms<cn::da2s_authors_code>::at, daas_epoch, daas_epochs, 1.0};
  } else {
    return {&cn::regularizer_terms<typename Published::spec::regularizer>::at};
  }
}

/// The two optimizers of a search of `net`.
struct optimizers {
  cn::sgd weights;
  cn::adam alpha;
  cn::adam beta;
  explicit optimizers(cn::any_supernet& net, bool fair = false)
      : weights(net.weights(), fair ? fair_sgd : sgd),
        alpha(net.arch().alphas(), fair ? fair_adam : adam),
        beta(net.arch().betas(), adam) {}
  cn::step_optimizers step() { return {weights, alpha, beta, clip, true, true}; }
};

}  // namespace

TEST_CASE_TEMPLATE("logits, loss, terms and all first-order gradients", Published, darts, pc_darts, daas,
                   fair_darts, autodl) {
  const expected theirs(Published::name);
  everywhere<Published>([&](at::ScalarType dtype, cn::compute_path path) {
    const double tolerance = tolerance_of(dtype);
    auto net = network<Published>(dtype, path);
    CHECK(net.is_fused() == (path == cn::compute_path::fused));
    const auto batch = theirs.batch(1, dtype);
    cn::step_result result;
    at::Tensor logits;
    const at::Tensor loss = cn::architecture_loss(net, losses_of<Published>(), batch, result, &logits);
    CHECK(relative(logits, theirs.in(dtype, "logits")) < tolerance);
    CHECK(relative(loss, theirs.in(dtype, "loss")) < tolerance);
    if constexpr (std::is_same_v<Published, daas>) {
      REQUIRE(result.terms.size() == 3);
      const auto term = [&](std::size_t i) { return result.terms[i].value * result.terms[i].factor; };
      CHECK(relative(term(0), theirs.in(dtype, "term.ops")) < tolerance);
      CHECK(relative(term(1) + term(2), theirs.in(dtype, "term.edges")) < tolerance);
    }
    const auto searched = searched_of(net);
    const auto weights = state_of(net, part::weight);
    std::vector<at::Tensor> all = searched;
    for (const auto& [name, values] : weights) all.push_back(values);
    const auto gradients = cn::detail::own_gradients(loss, all);
    for (const auto& [name, ours] :
         published(net, {gradients.begin(), gradients.begin() + std::ptrdiff_t(searched.size())})) {
      const std::string& tensor = name;  // clang captures no structured binding
      CAPTURE(tensor);
      CHECK(relative(ours, theirs.in(dtype, "grad." + name)) < tolerance);
    }
    std::map<std::string, at::Tensor> of_weights;
    auto next = gradients.begin() + std::ptrdiff_t(searched.size());
    for (const auto& [name, values] : weights) of_weights.emplace(name, *next++);
    CHECK(relative(joined(of_weights), theirs["grad.weights"]) < tolerance);
    net.eval();
    CHECK(relative(net.forward(batch.images), theirs.in(dtype, "logits.eval")) < tolerance);
  });
}

TEST_CASE_TEMPLATE("the unrolled gradient, with and without momentum, and nothing else moves", Published,
                   darts, pc_darts, autodl) {
  const expected theirs(Published::name);
  everywhere<Published>([&](at::ScalarType dtype, cn::compute_path path) {
    for (const std::string momentum : {"", ".momentum"}) {
      CAPTURE(momentum);
      auto net = network<Published>(dtype, path);
      optimizers all(net);
      cn::step_result result;
      if (!momentum.empty()) {
        cn::weight_step(net, net.arch().fixed_weights(), all.weights, clip, theirs.batch(2, dtype), result);
      }
      const auto before = joined(state_of(net, part::weight)).clone();
      const auto statistics = joined(state_of(net, part::statistic)).clone();
      std::vector<at::Tensor> velocity;
      for (const auto& v : all.weights.velocity()) velocity.push_back(v.clone());
      const auto gradients =
          cn::unrolled_gradients(net, {}, all.step(), theirs.batch(0, dtype), theirs.batch(1, dtype), result);
      for (const auto& [name, ours] : published(net, gradients)) {
        const std::string& tensor = name;  // clang captures no structured binding
        CAPTURE(tensor);
        CHECK(relative(ours, theirs.in(dtype, "unrolled" + momentum + "." + name)) < tolerance_of(dtype));
        // It is not the first-order gradient.
        if (momentum.empty()) CHECK(relative(ours, theirs.in(dtype, "grad." + name)) > 1e-3);
      }
      CHECK(at::equal(before, joined(state_of(net, part::weight))));
      CHECK(at::equal(statistics, joined(state_of(net, part::statistic))));
      for (std::size_t i = 0; i < velocity.size(); ++i)
        CHECK(at::equal(velocity[i], all.weights.velocity()[i]));
      for (const auto& w : net.weights()) CHECK(w.requires_grad());
    }
  });
}

TEST_CASE_TEMPLATE("ten bilevel steps: losses, statistics, parameters", Published, darts, pc_darts, daas,
                   fair_darts, autodl) {
  const expected theirs(Published::name);
  everywhere<Published>([&](at::ScalarType dtype, cn::compute_path path) {
    if (dtype != at::kDouble) return;  // in float32 ten steps magnify the rounding
    constexpr bool fair = std::is_same_v<Published, fair_darts>;
    auto net = network<Published>(dtype, path);
    optimizers all(net, fair);
    std::vector<at::Tensor> losses;
    for (int step = 0; step < steps; ++step) {
      const auto result =
          cn::bilevel_step(net, losses_of<Published>(), all.step(), theirs.batch(2 * step % batches, dtype),
                           theirs.batch((2 * step + 1) % batches, dtype));
      const at::Tensor extra = cn::weighted_sum(result.terms);
      at::Tensor lower = result.weight_loss;
      if (fair) {  // the published loss of the weights has the separation, too, of alpha after its step
        at::NoGradGuard no_grad;
        lower = lower + cn::weighted_sum(losses_of<Published>().regularizer(net.arch(), 1, 1));
      }
      losses.push_back(at::stack({extra.defined() ? result.arch_loss + extra : result.arch_loss, lower}));
      if (step == 0)
        CHECK(relative(joined(state_of(net, part::statistic)), theirs["statistics"]) < float64_tolerance);
    }
    CHECK(relative(at::stack(losses), theirs["steps.losses"]) < float64_tolerance);
    for (const auto& [name, values] : state_of(net, part::searched)) {
      const std::string& tensor = name;  // clang captures no structured binding
      CAPTURE(tensor);
      CHECK(relative(values, theirs["steps." + name]) < float64_tolerance);
    }
    const auto weights = state_of(net, part::weight);
    for (const auto* name : {"stem.0.weight", "stem.1.weight", "classifier.weight", "classifier.bias"}) {
      CAPTURE(name);
      CHECK(relative(weights.at(name), theirs[std::string("steps.") + name]) < float64_tolerance);
    }
  });
}

TEST_CASE_TEMPLATE("the cells that are picked from given alpha and beta", Published, darts, pc_darts, daas) {
  const expected theirs(Published::name);
  auto net = network<Published>(at::kDouble, cn::compute_path::stock);
  const at::Tensor picked = theirs["genotypes.picked"];  // [case, cell type, gene, (op, from)]
  REQUIRE(picked.size(0) == 20);
  const auto searched = state_of(net, part::searched);
  using gene = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // to, from, op
  for (std::int64_t i = 0; i < picked.size(0); ++i) {
    at::NoGradGuard no_grad;
    for (const auto& [name, values] : searched) at::Tensor(values).copy_(theirs["genotypes." + name][i]);
    const cn::network_cut cut = cn::cut_network(net);
    for (std::size_t type = 0; type < 2; ++type) {
      std::set<gene> ours;
      std::set<gene> wanted;
      const auto& edges = net.space().cell(int(type)).edges;
      for (std::size_t e = 0; e < edges.size(); ++e) {
        if ((cut[type].kept.edges >> e) & 1U)
          ours.emplace(edges[e].to, edges[e].from, cut[type].ops[e].front());
      }
      for (std::int64_t g = 0; g < picked.size(2); ++g) {
        const at::Tensor one = picked[i][std::int64_t(type)][g];
        wanted.emplace(2 + g / 2, one[1].item<std::int64_t>(), one[0].item<std::int64_t>());
      }
      CAPTURE(i);
      CAPTURE(type);
      CHECK((ours == wanted));
    }
  }
}

namespace {

/// Copies draw `i` of alpha and beta into `net` and cuts it: (to, from, op) of every cell type.
using gene = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
template <class Net>
std::vector<std::set<gene>> cells_of(Net& net, const expected& theirs, std::int64_t i) {
  at::NoGradGuard no_grad;
  for (const auto& [name, values] : state_of(net, part::searched))
    at::Tensor(values).copy_(theirs["genotypes." + name][i]);
  std::vector<std::set<gene>> cells;
  const cn::genotype found = cn::discretize(net);
  for (int type = 0; type < net.space().cell_types(); ++type) {
    auto& cell = cells.emplace_back();
    for (const cn::gene& g : type == 0 ? found.normal : found.reduction) {
      const auto& names = net.space().op_names;
      cell.emplace(g.to, g.from, std::find(names.begin(), names.end(), g.op.view()) - names.begin());
    }
  }
  return cells;
}

/// The cells of `kind` in the fixture, [draw, cell type, gene, numbers]; `as_gene` reads one, -1 is none.
template <class AsGene>
std::vector<std::vector<std::set<gene>>> published_cells(const at::Tensor& all, const AsGene& as_gene) {
  std::vector<std::vector<std::set<gene>>> cells;
  const auto values = all.accessor<std::int64_t, 4>();
  for (std::int64_t i = 0; i < all.size(0); ++i) {
    auto& draw = cells.emplace_back();
    for (std::int64_t type = 0; type < all.size(1); ++type) {
      auto& cell = draw.emplace_back();
      for (std::int64_t g = 0; g < all.size(2); ++g) {
        if (values[i][type][g][0] >= 0) cell.insert(as_gene(g, values[i][type][g]));
      }
    }
  }
  return cells;
}

template <class Spec>
void same_cells_as_fair_darts(const char* kind) {
  const expected theirs(fair_darts::name);
  cn::supernet<Spec> net({.channels = fair_darts::channels, .cells = 3, .classes = 5, .dtype = at::kDouble});
  const auto wanted =
      published_cells(theirs[std::string("genotypes.") + kind], [](std::int64_t, const auto& g) {
        return gene{g[1], g[2], g[0]};
      });
  REQUIRE(wanted.size() == 20);
  std::set<std::size_t> sizes;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CHECK((cells_of(net, theirs, std::int64_t(i)) == wanted[i]));
    sizes.insert(wanted[i][0].size());
  }
  CHECK(sizes.size() > 2);  // the threshold takes genes out
}

}  // namespace

// The program computes what the published code computes from the same file, and renames without touching a value.
#ifdef CRISPNAS_CONVERT
namespace {

void run_convert(const std::string& arguments, const std::string& said = "/dev/null") {
  const std::string command = std::string("\"") + CRISPNAS_CONVERT + "\" " + arguments + " > " + said;
  CAPTURE(command);
  REQUIRE(std::system(command.c_str()) == 0);  // NOLINT: the program is to be tested
}

std::string quoted(const std::filesystem::path& path) { return "\"" + path.string() + "\""; }

}  // namespace

TEST_CASE_TEMPLATE("convert evaluate: the published logits", Published, darts, pc_darts, daas, fair_darts,
                   autodl) {
  const expected theirs(Published::name);
  const tests::temporary_folder folder;
  const bool is_autodl = std::is_same_v<Published, autodl>;
  for (auto dtype : {at::kDouble, at::kFloat}) {
    const auto input = folder.path() / "images.safetensors";
    const auto output = folder.path() / "logits.safetensors";
    cn::write_safetensors(input, {{"images", theirs["images"].to(dtype)}});
    run_convert("evaluate " + quoted(file_of(Published::name, "state")) + " --method " +
                (is_autodl ? "nas_bench_201" : Published::name) + " --channels " +
                std::to_string(Published::channels) + " --cells " + (is_autodl ? "1" : "3") +
                " --classes 5 --batch 7 --input " + quoted(input) + " --output " + quoted(output));
    const auto logits = cn::read_safetensors(output);
    REQUIRE(logits.size() == 1);
    CHECK(logits.front().first == "logits");
    CHECK((logits.front().second.scalar_type() == dtype));
    CHECK(logits.front().second.sizes() == at::IntArrayRef{batches * images, 5});
    CHECK(relative(logits.front().second, theirs["logits.stored"]) < tolerance_of(dtype));
  }
}

TEST_CASE("convert rename: every value under its new name, nothing else") {
  const tests::temporary_folder folder;
  const auto output = folder.path() / "renamed.safetensors";
  run_convert("rename " + quoted(file_of("daas", "state")) + " " + quoted(output) +
              " --replace beta_=module.beta_ --replace cells.0=cells.zero");
  std::map<std::string, at::Tensor> renamed;
  for (const auto& [name, values] : cn::read_safetensors(output)) renamed.emplace(name, values);
  int changed = 0;
  const auto before = cn::read_safetensors(file_of("daas", "state"));
  for (auto [name, values] : before) {
    const std::string old = name;
    if (old.starts_with("beta_")) name = "module." + old;
    if (old.starts_with("cells.0.")) name = "cells.zero." + old.substr(8);
    changed += name != old ? 1 : 0;
    CAPTURE(name);
    REQUIRE(renamed.contains(name));
    CHECK((renamed.at(name).scalar_type() == values.scalar_type()));
    CHECK(at::equal(renamed.at(name), values));
  }
  CHECK(renamed.size() == before.size());
  CHECK(changed > 6);
}

TEST_CASE("convert info shows a hostile name without what a terminal obeys") {
  const tests::temporary_folder folder;
  const auto file = folder.path() / "hostile.safetensors";
  const auto said = folder.path() / "said.txt";
  cn::write_safetensors(file, {{std::string("a\x1b[31m\0b", 8), at::zeros({2})}}, {{"by", "\x07 me"}});
  run_convert("info " + quoted(file), quoted(said));
  std::ifstream shown(said);
  const std::string text{std::istreambuf_iterator<char>(shown), {}};
  CHECK_SAYS(text, "a\\x1b[31m\\x00b  F32   [2]");
  CHECK_SAYS(text, "by = \\x07 me");
  for (const char c : text) CHECK((c == '\n' || (c >= ' ' && c < 127)));
}
#endif

TEST_CASE("FairDARTS: the cells above its threshold, both of its parse methods") {
  same_cells_as_fair_darts<cn::fair_darts_spec<cn::partial_channels<1>>>("sparse");
  same_cells_as_fair_darts<cn::fair_darts_spec<cn::partial_channels<1>, cn::keep_all, cn::op_budget<2>>>(
      "edge");
}

TEST_CASE("AutoDL: the cells that are picked from given alpha") {
  const expected theirs(autodl::name);
  auto net = network<autodl>(at::kDouble, cn::compute_path::stock);
  const std::vector<std::int64_t> targets{1, 2, 2, 3, 3, 3};
  const auto wanted = published_cells(theirs["genotypes.picked"], [&](std::int64_t i, const auto& g) {
    return gene{targets[std::size_t(i)], g[1], g[0]};
  });
  REQUIRE(wanted.size() == 20);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CHECK(wanted[i][0].size() == 6);
    CHECK((cells_of(net, theirs, std::int64_t(i)) == wanted[i]));
  }
}

}  // namespace parity_test
