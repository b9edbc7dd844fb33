// What does a step do beside the network, and how long does it take: optimizers, clipping, batches? For comparison,
// weights in one flat tensor, and LibTorch's own way of clipping.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <crispnas/crispnas.hpp>
#include <cstdint>
#include <numeric>
#include <vector>

namespace {

namespace cn = crispnas;
using at::Tensor;

/// The weights of PC-DARTS, C = 16, 8 cells, and gradients of their shapes.
struct weights {
  std::vector<Tensor> parameters;
  std::vector<Tensor> gradients;
  std::vector<Tensor> searched;  // alpha and beta
  std::vector<Tensor> searched_gradients;

  weights() {
    at::set_num_threads(1);
    cn::supernet<cn::pc_darts_spec<>> net;
    for (const auto& p : net.weights()) parameters.push_back(p.detach().clone());
    for (const auto& [name, value] : net.arch().named()) searched.push_back(value.detach().clone());
    for (const auto& p : parameters) gradients.push_back(at::randn_like(p) * 1e-3);
    for (const auto& p : searched) searched_gradients.push_back(at::randn_like(p) * 1e-3);
  }
  static Tensor joined(const std::vector<Tensor>& list) {
    std::vector<Tensor> flat;
    flat.reserve(list.size());
    for (const auto& t : list) flat.push_back(t.flatten());
    return at::cat(flat);
  }
};

void sgd_of_a_list(benchmark::State& bench) {
  const weights w;
  cn::sgd sgd(w.parameters, {});
  for (auto _ : bench) sgd.step(w.gradients);
  bench.counters["tensors"] = static_cast<double>(w.parameters.size());
}

void sgd_of_one_flat_tensor(benchmark::State& bench) {
  const weights w;
  const std::vector<Tensor> gradient{weights::joined(w.gradients)};
  cn::sgd sgd({weights::joined(w.parameters)}, {});
  for (auto _ : bench) sgd.step(gradient);
}

/// What the flat tensor asks for first: autograd gives a gradient for each weight.
void joining_gradients(benchmark::State& bench) {
  const weights w;
  for (auto _ : bench) benchmark::DoNotOptimize(weights::joined(w.gradients));
}

void clip(benchmark::State& bench) {
  const weights w;
  for (auto _ : bench) benchmark::DoNotOptimize(cn::clip_gradients(w.gradients, 5.0));
}

void clip_by_libtorch(benchmark::State& bench) {
  const weights w;
  for (auto _ : bench) {
    const Tensor norm = at::stack(at::_foreach_norm(w.gradients, 2)).norm();
    at::_foreach_mul_(w.gradients, (5.0 / (norm + 1e-6)).clamp_max(1.0));
  }
}

void adam_of_alpha_and_beta(benchmark::State& bench) {
  const weights w;
  cn::adam adam(w.searched, {});
  for (auto _ : bench) adam.step(w.searched_gradients);
}

/// A batch out of resident bytes: crop, flip, normalize; with the argument also cutout.
void augmented_batch(benchmark::State& bench) {
  at::set_num_threads(1);
  const Tensor images = at::randint(256, {4096, 3, 32, 32}, at::kByte);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(bench.range(0)));
  std::iota(indices.begin(), indices.end(), std::int64_t{100});
  const cn::normalization norm{{0.49, 0.48, 0.45}, {0.25, 0.24, 0.26}};
  const cn::augmentation options{.cutout = static_cast<int>(bench.range(1))};
  std::int64_t epoch = 0;
  for (auto _ : bench) benchmark::DoNotOptimize(cn::augment(images, indices, norm, options, 1, ++epoch));
}

BENCHMARK(sgd_of_a_list)->Unit(benchmark::kMillisecond);
BENCHMARK(sgd_of_one_flat_tensor)->Unit(benchmark::kMillisecond);
BENCHMARK(joining_gradients)->Unit(benchmark::kMillisecond);
BENCHMARK(clip)->Unit(benchmark::kMillisecond);
BENCHMARK(clip_by_libtorch)->Unit(benchmark::kMillisecond);
BENCHMARK(adam_of_alpha_and_beta)->Unit(benchmark::kMillisecond);
BENCHMARK(augmented_batch)
    ->ArgNames({"images", "cutout"})
    ->Args({64, 0})
    ->Args({64, 16})
    ->Args({96, 16})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
