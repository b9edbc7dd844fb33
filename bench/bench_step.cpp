// How long does one bilevel step take, and how much memory? One JSON line: seconds (median and minimum), the
// least processor time of a step (of all threads; what a busy machine disturbs least) and peak memory above
// the idle process, on random images.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <crispnas/crispnas.hpp>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/cli.hpp"
#include "support/methods.hpp"

namespace {

namespace cn = crispnas;

struct bench_options {
  int threads = 1;
  std::int64_t batch = 64;
  int channels = 16;
  int cells = 8;
  int size = 32;
  int steps = 5;
  std::string partial = "4";
  std::string path = "fused";
  std::string method = "pc_darts";
  std::string space = "darts";
  int nodes = 4;
  bool none = false;
};

/// PC-DARTS over a cell of other than four nodes: 5, 9, 20 or 27 edges, to see how cost grows with them.
template <int Nodes>
support::method_choice dense_method(const std::string& partial) {
  using cell = cn::dense_cell<2, Nodes, cn::darts_ops>;
  return {"pc_darts",
          partial == "1" ? cn::configuration_of<cn::pc_darts_spec<cell, cn::partial_channels<1>>>()
                         : cn::configuration_of<cn::pc_darts_spec<cell>>(),
          0.0};
}

support::method_choice method_of(const bench_options& o) {
  if (o.space != "darts") return support::nas_bench_201_method(o.method);
  if (o.none) {
    return support::detail::method_of<cn::darts_cell_with_none, cn::edges_8_of_14>(o.method,
                                                                                   std::stoi(o.partial));
  }
  switch (o.nodes) {
    case 2:
      return dense_method<2>(o.partial);
    case 3:
      return dense_method<3>(o.partial);
    case 5:
      return dense_method<5>(o.partial);
    case 6:
      return dense_method<6>(o.partial);
    default:
      return support::darts_method(o.method, 8, std::stoi(o.partial));
  }
}

/// Peak resident memory of this process so far, in MiB.
double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024.0;
}

void run(const bench_options& o) {
  at::set_num_threads(o.threads);
  if (o.nodes != 4 && (o.space != "darts" || o.method != "pc_darts" || o.partial == "2")) {
    throw support::usage_error(
        "--nodes other than 4 goes with the darts space, --method pc_darts and --k 1 or 4.");
  }
  if (o.none && (o.nodes != 4 || o.space != "darts")) {
    throw support::usage_error("--none goes with the darts space of 4 nodes.");
  }
  const auto method = method_of(o);
  const auto path = o.path == "fused" ? cn::compute_path::fused : cn::compute_path::stock;
  const double idle = peak_mib();
  cn::any_supernet net(method.configuration.space, method.configuration.ops, method.configuration.plan,
                       {.channels = o.channels, .cells = o.cells, .path = path});
  cn::sgd weights(net.weights(), {});
  cn::adam alpha(net.arch().alphas(), {});
  cn::adam beta(net.arch().betas(), {});
  const cn::labelled_batch batch{at::randn({o.batch, 3, o.size, o.size}),
                                 at::randint(10, {o.batch}, at::kLong)};
  const bool has_beta = net.space().has_edge_weights();
  std::vector<double> seconds;
  std::vector<double> processor;
  for (int step = 0; step < o.steps + 1; ++step) {
    const std::clock_t clock = std::clock();
    const auto started = std::chrono::steady_clock::now();
    const auto result = cn::bilevel_step(net, {method.configuration.regularizer, 1, 50, method.strength},
                                         {weights, alpha, beta, 5.0, true, has_beta}, batch, batch);
    result.weight_loss.item<double>();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    if (step == 0) continue;  // the first one allocates
    seconds.push_back(took);
    processor.push_back(double(std::clock() - clock) / CLOCKS_PER_SEC);
  }
  std::sort(seconds.begin(), seconds.end());
  const nlohmann::json line{{"path", o.path},
                            {"method", o.method},
                            {"space", o.space},
                            {"ops", net.space().op_names.size()},
                            {"edges", net.space().normal.edges.size()},
                            {"threads", o.threads},
                            {"batch", o.batch},
                            {"channels", o.channels},
                            {"cells", o.cells},
                            {"k", net.space().partial},
                            {"image", o.size},
                            {"median_s", seconds[seconds.size() / 2]},
                            {"minimum_s", seconds.front()},
                            {"minimum_processor_s", *std::min_element(processor.begin(), processor.end())},
                            {"peak_mib_above_idle", peak_mib() - idle}};
  fmt::print("{}\n", line.dump());
}

}  // namespace

int main(int argc, char** argv) {
  bench_options o;
  CLI::App app{"Times one bilevel step of the super-network on random images."};
  app.option_defaults()->always_capture_default();
  app.add_option("--threads", o.threads, "CPU threads")->check(support::between(1, 1024));
  app.add_option("--batch", o.batch, "images in a batch")->check(support::between(2, 65536));
  app.add_option("--channels", o.channels, "channels C of the first cell");
  app.add_option("--space", o.space, "search space")->check(support::one_of(support::space_names));
  app.add_option("--nodes", o.nodes, "nodes of a cell (darts space)")
      ->check(support::one_of({"2", "3", "4", "5", "6"}));
  app.add_flag("--none", o.none, "an eighth op, none, as in the published code (darts space)");
  app.add_option("--cells", o.cells, "cells (nas_bench_201: of each stage)")->check(support::between(1, 100));
  app.add_option("--size", o.size, "height and width of the images")->check(support::between(4, 1024));
  app.add_option("--steps", o.steps, "steps that are timed")->check(support::between(1, 10000));
  app.add_option("--k", o.partial, "ops see 1/K of the channels")
      ->check(support::one_of(support::partial_names));
  app.add_option("--path", o.path, "kernels of this library, or LibTorch's operations")
      ->check(support::one_of({"fused", "stock"}));
  app.add_option("--method", o.method, "what is searched by")->check(support::one_of(support::method_names));
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("bench_step", [&] { run(o); });
}
