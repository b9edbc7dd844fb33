// Are the fused kernels still much faster than LibTorch's operations? A ratio of processor times within one
// process, measured in turns and by the fastest of each, so that neither the machine nor its load decides.
#include <ATen/Parallel.h>

#include <algorithm>
#include <crispnas/search/bilevel.hpp>
#include <ctime>
#include <vector>

#include "../unit/doctest.hpp"

namespace cn = crispnas;

namespace {

constexpr int turns = 3;

/// Processor seconds of one forward and backward pass with the gradients of all weights and of alpha.
double seconds(cn::any_supernet& net, const cn::labelled_batch& batch) {
  auto parameters = net.weights();
  const auto alphas = net.arch().alphas();
  parameters.insert(parameters.end(), alphas.begin(), alphas.end());
  const std::clock_t started = std::clock();
  const at::Tensor loss = at::cross_entropy_loss(net.forward(batch.images), batch.labels);
  torch::autograd::grad({loss}, parameters);
  return double(std::clock() - started) / CLOCKS_PER_SEC;
}

/// How many times as long stock operations take.
template <class Spec>
double ratio(int cells) {
  at::set_num_threads(1);
  cn::supernet<Spec> fused({.cells = cells, .path = cn::compute_path::fused});
  cn::supernet<Spec> stock({.cells = cells, .path = cn::compute_path::stock});
  const cn::labelled_batch batch{at::randn({16, 3, 32, 32}), at::zeros({16}, at::kLong)};
  double fastest_fused = seconds(fused, batch);
  double fastest_stock = seconds(stock, batch);
  for (int turn = 1; turn < turns; ++turn) {
    fastest_fused = std::min(fastest_fused, seconds(fused, batch));
    fastest_stock = std::min(fastest_stock, seconds(stock, batch));
  }
  MESSAGE("fused ", fastest_fused, " s, stock ", fastest_stock, " s, ratio ", fastest_stock / fastest_fused);
  return fastest_stock / fastest_fused;
}

}  // namespace

// About half of what was measured: a machine with other vectors passes, a lost optimization does not.
TEST_CASE("fused kernels are faster than stock operations at K = 4, at K = 1, and in NAS-Bench-201 cells") {
  CHECK(ratio<cn::spec<cn::darts_cell, cn::partial_channels<4>>>(3) >= 5);
  CHECK(ratio<cn::spec<cn::darts_cell, cn::partial_channels<1>>>(3) >= 3.5);
  CHECK(ratio<cn::darts_spec<cn::nas_bench_201_cell>>(1) >= 1.5);
}
