// The published derived networks against ours: DARTS's for CIFAR and ImageNet, AutoDL's for NAS-Bench-201. Weights follow from names
// and places by a formula (make_fixtures.py, by_formula); the names of parameters and statistics are compared, too.
#include <crispnas/derived/derived_network.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/safetensors.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "files.hpp"
#include "support.hpp"

namespace derived_parity_test {

namespace cn = crispnas;

namespace {

constexpr double float64_tolerance = 1e-9;  // of the largest element
constexpr double float32_tolerance = 1e-4;

at::Tensor wave(std::int64_t count, double step, double start) {
  return (at::arange(count, at::kDouble) * step + start).sin();
}

void by_formula(cn::any_derived_network& net) {
  std::map<std::string, at::Tensor> sorted;
  for (const auto& p : net.named_parameters()) sorted[p.key()] = p.value();
  for (const auto& b : net.named_buffers()) sorted[b.key()] = b.value();
  at::NoGradGuard no_grad;
  int n = 0;
  for (auto& [name, value] : sorted) {
    const at::Tensor w = wave(value.numel(), 0.61, 1.7 * n++).view(value.sizes());
    if (value.dim() > 1) {
      value.copy_(w * std::sqrt(3.0 / double(value.select(0, 0).numel())));
    } else if (name.ends_with("running_var")) {
      value.copy_((0.2 * w).exp());
    } else {
      value.copy_(0.1 * w + (name.ends_with("weight") ? 1.0 : 0.0));
    }
  }
}

void check(const std::string& name, const cn::genotype& cell, cn::derived_options options,
           std::int64_t size) {
  std::map<std::string, at::Tensor> expected;
  const auto file = std::filesystem::path(CRISPNAS_PARITY_FIXTURES) / "derived.expected.safetensors";
  std::string names;
  const cn::safetensors_file stored(file);
  for (const auto& [key, text] : stored.metadata()) {
    if (key == name) names = text;
  }
  for (const auto& [key, value] : cn::read_safetensors(file)) {
    if (key.starts_with(name + ".")) expected[key.substr(name.size() + 1)] = value;
  }
  REQUIRE(expected.size() >= 3);
  const at::Tensor images = wave(2 * 3 * size * size, 0.731, 0.0).view({2, 3, size, size});
  for (auto dtype : {at::kDouble, at::kFloat}) {
    const double tolerance = dtype == at::kDouble ? float64_tolerance : float32_tolerance;
    options.dtype = dtype;
    cn::any_derived_network net(cell, options);
    by_formula(net);
    std::set<std::string> ours;
    for (const auto& [key, value] : cn::published_state(net)) ours.insert(key);
    std::string listed;
    for (const auto& key : ours) listed += (listed.empty() ? "" : "\n") + key;
    CHECK(listed == names);
    // A file under these names brings another network to the same values.
    const tests::temporary_folder folder;
    const auto saved = folder.path() / "network.safetensors";
    cn::save_state(cn::published_state(net), saved);
    options.seed += 1;
    cn::any_derived_network copy(cell, options);
    cn::load_state(cn::published_state(copy), saved);
    for (const auto& p : net.named_parameters())
      CHECK(at::equal(p.value(), copy.named_parameters()[p.key()]));
    for (const auto& b : net.named_buffers()) CHECK(at::equal(b.value(), copy.named_buffers()[b.key()]));
    const auto close = [&](const at::Tensor& values, const std::string& key) {
      const at::Tensor& theirs = expected.at(key);
      CAPTURE(name);
      CAPTURE(key);
      CHECK(test::difference(values, theirs) < tolerance * test::largest(theirs));
    };
    const at::Tensor x = images.to(dtype);
    net.eval();
    close(net.forward(x).logits, "eval");
    net.train();
    const auto out = net.forward(x);
    close(out.logits, "logits");
    CHECK(out.auxiliary.defined() == expected.contains("auxiliary"));
    at::Tensor loss = out.logits.square().sum();
    if (out.auxiliary.defined()) {
      close(out.auxiliary, "auxiliary");
      loss = loss + 0.4 * out.auxiliary.square().sum();
    }
    if (dtype != at::kDouble) continue;
    loss.backward();
    std::map<std::string, at::Tensor> sorted;
    for (const auto& p : net.named_parameters()) sorted[p.key()] = p.value();
    std::vector<at::Tensor> projected;  // one number per parameter, in the order of the names
    for (const auto& [key, p] : sorted) {
      projected.push_back(
          (p.grad() * at::arange(1, p.numel() + 1).view(p.sizes()).to(at::kDouble).sin()).sum());
    }
    close(at::stack(projected), "gradients");
  }
}

}  // namespace

TEST_CASE("CIFAR: logits, auxiliary logits, every gradient") {
  const cn::derived_options options{.channels = 4, .cells = 4, .classes = 5, .auxiliary = true};
  check("cifar.DARTS_V2", cn::known::darts_v2, options, 32);
  check("cifar.NASNet", cn::known::nasnet, options, 32);
}

TEST_CASE("ImageNet: logits, auxiliary logits, every gradient") {
  check("imagenet.DARTS_V2", cn::known::darts_v2,
        {.skeleton = cn::derived_skeleton::imagenet,
         .channels = 4,
         .cells = 4,
         .classes = 5,
         .auxiliary = true},
        224);
}

TEST_CASE("NAS-Bench-201: logits, every gradient") {
  const auto cell = cn::parse_genotype(
      "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|");
  check("nas_bench_201", cell,
        {.skeleton = cn::derived_skeleton::nas_bench_201, .channels = 4, .cells = 1, .classes = 5}, 16);
}

}  // namespace derived_parity_test
