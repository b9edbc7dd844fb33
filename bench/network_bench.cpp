// How long do a bilevel step, its passes and an evaluation of whole super-networks take, with LibTorch's
// operations and with the fused kernels, in how much memory, and how does that grow? Random images of 32 x 32.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <crispnas/crispnas.hpp>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace cn = crispnas;

/// A line of /proc/self/status, in MiB.
double status_mib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == name + ":") {
      double kib = 0;
      status >> kib;
      return kib / 1024;
    }
  }
  return 0;
}

/// Peak resident memory above that at its beginning.
class peak_memory {
 public:
  peak_memory() {
    cn::kernels::workspace::of_process().release();
    malloc_trim(0);
    std::ofstream mark("/proc/self/clear_refs");
    mark << "5" << std::flush;  // the high-water mark starts again
    known_ = mark.good();
    idle_ = status_mib("VmRSS");
  }
  void report(benchmark::State& bench) const {
    if (known_) bench.counters["peak_MiB"] = status_mib("VmHWM") - idle_;
  }

 private:
  bool known_ = false;
  double idle_ = 0;
};

/// What is timed: a super-network of the size that the arguments say, and a batch.
struct setting {
  std::int64_t batch;
  int channels, cells, threads;
  bool fused;

  explicit setting(const benchmark::State& bench)
      : batch(bench.range(0)),
        channels(static_cast<int>(bench.range(1))),
        cells(static_cast<int>(bench.range(2))),
        threads(static_cast<int>(bench.range(3))),
        fused(bench.range(4) != 0) {
    at::set_num_threads(threads);
  }
  cn::supernet_options options() const {
    return {.channels = channels,
            .cells = cells,
            .path = fused ? cn::compute_path::fused : cn::compute_path::stock};
  }
  cn::labelled_batch images() const {
    return {at::randn({batch, 3, 32, 32}), at::randint(10, {batch}, at::kLong)};
  }
};

template <class Spec>
void bilevel_step(benchmark::State& bench) {
  const setting s(bench);
  const peak_memory memory;
  cn::supernet<Spec> net(s.options());
  cn::sgd weights(net.weights(), {});
  cn::adam alpha(net.arch().alphas(), {});
  cn::adam beta(net.arch().betas(), {});
  const auto batch = s.images();
  const auto step = [&] {
    cn::bilevel_step(net, {&cn::regularizer_terms<typename Spec::regularizer>::at, 1, 50, 1.0},
                     {weights, alpha, beta, 5.0, true, net.space().has_edge_weights()}, batch, batch);
  };
  step();  // asks for the memory that the others use again
  for (auto _ : bench) step();
  memory.report(bench);
}

template <class Spec>
void forward(benchmark::State& bench) {
  const setting s(bench);
  cn::supernet<Spec> net(s.options());
  net.train();
  const at::Tensor x = s.images().images;
  net.forward(x);
  for (auto _ : bench) benchmark::DoNotOptimize(net.forward(x));
}

/// Gradients of weights, alpha and beta.
template <class Spec>
void backward(benchmark::State& bench) {
  const setting s(bench);
  cn::supernet<Spec> net(s.options());
  net.train();
  const auto batch = s.images();
  auto leaves = net.weights();
  for (const auto& [name, value] : net.arch().named()) leaves.push_back(value);
  const auto loss = [&] { return at::cross_entropy_loss(net.forward(batch.images), batch.labels); };
  const auto gradients = [&](const at::Tensor& of) {
    return torch::autograd::grad({of}, leaves, {}, std::nullopt, false, true);
  };
  gradients(loss());
  for (auto _ : bench) {
    bench.PauseTiming();
    const at::Tensor of = loss();
    bench.ResumeTiming();
    benchmark::DoNotOptimize(gradients(of));
  }
}

template <class Spec>
void evaluation(benchmark::State& bench) {
  const setting s(bench);
  const peak_memory memory;
  cn::supernet<Spec> net(s.options());
  net.eval();
  const at::NoGradGuard no_gradients;
  const at::Tensor x = s.images().images;
  net.forward(x);
  for (auto _ : bench) benchmark::DoNotOptimize(net.forward(x));
  memory.report(bench);
}

using darts_4 = cn::pc_darts_spec<>;
using darts_1 = cn::darts_spec<cn::partial_channels<1>>;
using nas_bench_201 = cn::darts_spec<cn::nas_bench_201_cell>;

void settings(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "channels", "cells", "threads", "fused"})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Iterations(3);
}
/// Stock beside fused, at the size that papers search with; residual stages have `cells` in each stage.
void side_by_side(benchmark::internal::Benchmark* bench, int cells) {
  settings(bench);
  for (const int fused : {0, 1}) bench->Args({16, 16, cells, 1, fused});
}
void of_darts(benchmark::internal::Benchmark* bench) { side_by_side(bench, 8); }
void of_nas_bench_201(benchmark::internal::Benchmark* bench) { side_by_side(bench, 5); }

/// One of batch, channels, cells and threads grows; the others rest at 16 (threads: 64), 16, 8 and 1.
void growth(benchmark::internal::Benchmark* bench) {
  settings(bench);
  for (const int fused : {0, 1}) {
    for (const int batch : {32, 64}) bench->Args({batch, 16, 8, 1, fused});
    for (const int channels : {32, 64}) bench->Args({16, channels, 8, 1, fused});
    for (const int cells : {4, 16}) bench->Args({16, 16, cells, 1, fused});
    bench->Args({64, 16, 8, 2, fused});  // threads share blocks of 4 to 16 images
  }
}

BENCHMARK_TEMPLATE(bilevel_step, darts_4)->Apply(of_darts);
BENCHMARK_TEMPLATE(forward, darts_4)->Apply(of_darts);
BENCHMARK_TEMPLATE(backward, darts_4)->Apply(of_darts);
BENCHMARK_TEMPLATE(evaluation, darts_4)->Apply(of_darts);
BENCHMARK_TEMPLATE(bilevel_step, darts_1)->Apply(of_darts);
BENCHMARK_TEMPLATE(forward, darts_1)->Apply(of_darts);
BENCHMARK_TEMPLATE(backward, darts_1)->Apply(of_darts);
BENCHMARK_TEMPLATE(evaluation, darts_1)->Apply(of_darts);
BENCHMARK_TEMPLATE(bilevel_step, nas_bench_201)->Apply(of_nas_bench_201);
BENCHMARK_TEMPLATE(forward, nas_bench_201)->Apply(of_nas_bench_201);
BENCHMARK_TEMPLATE(backward, nas_bench_201)->Apply(of_nas_bench_201);
BENCHMARK_TEMPLATE(evaluation, nas_bench_201)->Apply(of_nas_bench_201);
BENCHMARK_TEMPLATE(bilevel_step, darts_4)->Apply(growth);
BENCHMARK_TEMPLATE(evaluation, darts_4)->Apply(growth);

}  // namespace

BENCHMARK_MAIN();
