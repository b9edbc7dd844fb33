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

using space = cn::spec<cn::darts_cell, cn::partial_channels<4>>;
constexpr double least_ratio = 3;  // 6 to 10 where it was measured
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

}  // namespace

TEST_CASE("fused kernels take at most a third of the time of stock operations") {
  at::set_num_threads(1);
  cn::supernet<space> fused({.cells = 3, .path = cn::compute_path::fused});
  cn::supernet<space> stock({.cells = 3, .path = cn::compute_path::stock});
  const cn::labelled_batch batch{at::randn({16, 3, 32, 32}), at::zeros({16}, at::kLong)};
  double fastest_fused = seconds(fused, batch);
  double fastest_stock = seconds(stock, batch);
  for (int turn = 1; turn < turns; ++turn) {
    fastest_fused = std::min(fastest_fused, seconds(fused, batch));
    fastest_stock = std::min(fastest_stock, seconds(stock, batch));
  }
  INFO("fused ", fastest_fused, " s, stock ", fastest_stock, " s");
  CHECK(fastest_stock >= least_ratio * fastest_fused);
}
