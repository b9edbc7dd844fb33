// A topology of your own, fixed at compile time: 3 of 14 edges. Searches on random images, so that it runs anywhere.
#include <fmt/format.h>

#include <crispnas/crispnas.hpp>
#include <crispnas/format.hpp>

namespace cn = crispnas;

struct imbalanced
    : cn::spec<cn::darts_cell, cn::partial_channels<4>,
               cn::edge_budget<cn::keep<1, cn::nodes<2, 3>>,  // one edge for nodes 2 and 3 together,
                               cn::keep<1, cn::nodes<4>>,     // one for node 4,
                               cn::keep<1, cn::nodes<5>>>,    // one for node 5
               cn::da2s<>> {};
static_assert(cn::edges_v<imbalanced> == 14 && cn::kept_edges_v<imbalanced> == 3);

int main() {
  const auto pixels = torch::randint(256, {320, 3, 16, 16}, torch::kByte);
  const cn::labelled_images all(pixels, torch::randint(10, {320}), 10);
  const auto data = all.head(256);             // trains weights, alpha and beta
  const auto held_out = all.subset(256, 320);  // trains nothing

  fmt::print("C = 8, 3 cells, K = 4, 8 epochs of 4 steps on random images, keeps {} of {} edges\n",
             cn::kept_edges_v<imbalanced>, cn::edges_v<imbalanced>);

  cn::supernet<imbalanced> net({.channels = 8, .cells = 3, .classes = 10});
  const auto rate = cn::rate_for_travel(8 * 4);  // alpha and beta can go as far as in the paper, in 32 steps
  cn::searcher search(
      net, {.epochs = 8, .batch_size = 32, .alpha_rate = rate, .beta_rate = rate, .strength = 0.1});
  for (const auto& epoch : search.run(data)) fmt::print("{}\n", epoch);

  const auto found = cn::discretize(net);  // keeps exactly 3 edges, all reachable
  fmt::print("{}\n", found);
  fmt::print("{}\n", cn::discretization_gap(net, found, held_out));
}
