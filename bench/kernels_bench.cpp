// How fast is each fused kernel, and how much faster than the same operations composed of stock ones? One
// state of a DARTS cell with four edges and the paper's seven operations; forward, backward, and each pass
// alone with its multiply-adds, its bytes and the ceiling that bounds it.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <crispnas/kernels/kernels.hpp>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace kernels = crispnas::kernels;
using at::Tensor;
using kernels::op_kind;

constexpr std::array ops{op_kind::max_pool_3x3, op_kind::avg_pool_3x3, op_kind::skip_connect,
                         op_kind::sep_conv_3x3, op_kind::sep_conv_5x5, op_kind::dil_conv_3x3,
                         op_kind::dil_conv_5x5};

/// One state with four outgoing edges.
struct state {
  Tensor x, op_weights, edge_weights;
  std::vector<kernels::mixed_edge> edges;
  std::shared_ptr<kernels::state_edges> prepared;
  kernels::state_shape shape;

  state(std::int64_t batch, std::int64_t channels, std::int64_t size, std::int64_t partial)
      : shape{batch, partial, 1} {
    const std::int64_t c = channels / partial;
    const auto parameter = [](at::IntArrayRef sizes) { return at::randn(sizes).mul_(0.3).requires_grad_(); };
    for (std::int64_t target = 0; target < 4; ++target) {
      kernels::mixed_edge edge{target, {}};
      for (const auto kind : ops) {
        kernels::op_params op{kind, {}, {}};
        const bool three = kind == op_kind::sep_conv_3x3 || kind == op_kind::dil_conv_3x3;
        const bool separable = kind == op_kind::sep_conv_3x3 || kind == op_kind::sep_conv_5x5;
        const bool pool = kind == op_kind::max_pool_3x3 || kind == op_kind::avg_pool_3x3;
        const int halves = pool || kind == op_kind::skip_connect ? 0 : separable ? 2 : 1;
        for (int i = 0; i < halves; ++i) {
          op.weights.push_back(parameter({c, 1, three ? 3 : 5, three ? 3 : 5}));
          op.weights.push_back(parameter({c, c, 1, 1}));
        }
        for (int i = 0; i < halves + (pool ? 1 : 0); ++i) op.norms.push_back({at::zeros({c}), at::ones({c})});
        edge.ops.push_back(op);
      }
      edges.push_back(edge);
    }
    prepared = std::make_shared<kernels::state_edges>(edges, partial, 1);
    x = at::randn({batch, channels, size, size}).requires_grad_();
    op_weights = at::full({4, static_cast<std::int64_t>(ops.size())}, 1.0 / ops.size()).requires_grad_();
    edge_weights = at::full({4}, 0.25).requires_grad_();
  }
  std::vector<Tensor> weights() const {
    std::vector<Tensor> all;
    for (const auto& edge : edges) {
      for (const auto& op : edge.ops) all.insert(all.end(), op.weights.begin(), op.weights.end());
    }
    return all;
  }
  std::vector<Tensor> leaves() const {
    std::vector<Tensor> all = weights();
    all.insert(all.begin(), {x, op_weights, edge_weights});
    return all;
  }
};

Tensor normalized(const Tensor& x, const kernels::norm_state& norm) {
  return at::batch_norm(x, {}, {}, norm.mean, norm.variance, true, 0.1, 1e-5, false);
}

Tensor stock_op(const Tensor& x, const kernels::op_params& op) {
  const auto half = [&](const Tensor& in, std::size_t i, std::int64_t dilation) {
    const Tensor& w = op.weights[2 * i];
    const std::int64_t pad = dilation * (w.size(2) - 1) / 2;
    const Tensor u = at::conv2d(in.relu(), w, {}, at::IntArrayRef{1, 1}, at::IntArrayRef{pad, pad},
                                at::IntArrayRef{dilation, dilation}, in.size(1));
    return normalized(at::conv2d(u, op.weights[2 * i + 1]), op.norms[i]);
  };
  switch (op.kind) {
    case op_kind::max_pool_3x3:
      return normalized(at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1}), op.norms[0]);
    case op_kind::avg_pool_3x3:
      return normalized(at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, false), op.norms[0]);
    case op_kind::sep_conv_3x3:
    case op_kind::sep_conv_5x5:
      return half(half(x, 0, 1), 1, 1);
    case op_kind::dil_conv_3x3:
    case op_kind::dil_conv_5x5:
      return half(x, 0, 2);
    default:
      return x;
  }
}

std::vector<Tensor> stock(const state& s) {
  std::vector<Tensor> nodes;
  const std::int64_t k = s.shape.partial;
  const std::int64_t seen = s.x.size(1) / k;
  for (std::size_t e = 0; e < s.edges.size(); ++e) {
    const auto row = static_cast<std::int64_t>(e);
    Tensor mixed;
    for (std::size_t o = 0; o < ops.size(); ++o) {
      const Tensor y = stock_op(s.x.slice(1, 0, seen), s.edges[e].ops[o]) *
                       s.op_weights[row][static_cast<std::int64_t>(o)];
      mixed = mixed.defined() ? mixed + y : y;
    }
    const Tensor all = k == 1 ? mixed : at::cat({mixed, s.x.slice(1, seen)}, 1);
    nodes.push_back(
        all.view({all.size(0), k, seen, all.size(2), all.size(3)}).transpose(1, 2).reshape(all.sizes()) *
        s.edge_weights[row]);
  }
  return nodes;
}

std::vector<Tensor> fused(const state& s, const Tensor& blocked) {
  return kernels::mixed_state(s.prepared, blocked, s.op_weights, s.edge_weights, std::vector<Tensor>(4),
                              s.shape.batch, {}, {});
}

std::vector<Tensor> ones_like(const std::vector<Tensor>& nodes) {
  std::vector<Tensor> ones;
  for (const auto& node : nodes) ones.push_back(at::ones_like(node));
  return ones;
}

state arguments(const benchmark::State& bench) {
  at::set_num_threads(static_cast<int>(bench.range(4)));
  return {bench.range(0), bench.range(1), bench.range(2), bench.range(3)};
}

void stock_forward(benchmark::State& bench) {
  const state s = arguments(bench);
  for (auto _ : bench) benchmark::DoNotOptimize(stock(s));
}

void fused_forward(benchmark::State& bench) {
  const state s = arguments(bench);
  const Tensor blocked = kernels::to_blocked(s.x.detach()).requires_grad_();
  for (auto _ : bench) benchmark::DoNotOptimize(fused(s, blocked));
}

void stock_both(benchmark::State& bench) {
  const state s = arguments(bench);
  for (auto _ : bench) {
    const auto nodes = stock(s);
    benchmark::DoNotOptimize(
        torch::autograd::grad(nodes, s.leaves(), ones_like(nodes), std::nullopt, false, true));
  }
}

void fused_both(benchmark::State& bench) {
  const state s = arguments(bench);
  const Tensor blocked = kernels::to_blocked(s.x.detach()).requires_grad_();
  auto leaves = s.leaves();
  leaves[0] = blocked;
  for (auto _ : bench) {
    const auto nodes = fused(s, blocked);
    benchmark::DoNotOptimize(torch::autograd::grad(nodes, leaves, ones_like(nodes)));
  }
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "channels", "size", "K", "threads"})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  for (const int threads : {1, 2}) {
    bench->Args({64, 16, 32, 4, threads})->Args({64, 32, 16, 4, threads})->Args({64, 64, 8, 4, threads});
  }
  bench->Args({64, 16, 32, 1, 1})->Args({16, 16, 32, 4, 1});
}
BENCHMARK(stock_forward)->Apply(sizes);
BENCHMARK(fused_forward)->Apply(sizes);
BENCHMARK(stock_both)->Apply(sizes);
BENCHMARK(fused_both)->Apply(sizes);

/// A plan with all its memory, so that passes can be timed alone.
struct passes {
  state s;
  Tensor x, z, pooled, dx, dy;
  std::vector<Tensor> nodes, gradients;
  std::vector<double> sums, edge_sums, weight_sums, unit_sums;
  kernels::bound_state<float> bound;

  explicit passes(const benchmark::State& bench)
      : s(bench.range(0), bench.range(1), bench.range(2), bench.range(3)),
        x(kernels::to_blocked(s.x.detach())) {
    at::set_num_threads(1);
    const auto flat = s.weights();
    bound.batch = s.shape.batch;
    bound.rows = static_cast<std::int64_t>(s.edges.size());
    bound.ops = static_cast<std::int64_t>(ops.size());
    bound.place = {0, 1, 2, 3};
    kernels::bind_state<float>(bound, *s.prepared, x, s.op_weights.const_data_ptr<float>(),
                               s.edge_weights.const_data_ptr<float>(), flat);
    auto& job = bound.job;
    const auto take = [&](std::int64_t size) {
      return kernels::workspace::of_process().take({size}, x.options()).zero_();
    };
    z = take(bound.z_size);
    pooled = take(2 * job.blocks * job.seen * job.out_plane());
    dx = take(x.numel());
    dy = take(bound.dy_size);
    for (auto& edge : job.edges) {
      nodes.push_back(take(x.numel()));
      gradients.push_back(take(x.numel()).normal_());
      edge.out = nodes.back().data_ptr<float>();
      edge.gradient = gradients.back().const_data_ptr<float>();
    }
    const auto resize = [&](std::vector<double>& v, std::int64_t size) {
      v.resize(static_cast<std::size_t>(job.blocks * size));
      return v.data();
    };
    job.x = x.const_data_ptr<float>();
    job.z = z.data_ptr<float>();
    job.pooled = pooled.data_ptr<float>();
    job.dx = dx.data_ptr<float>();
    job.dy = dy.data_ptr<float>();
    job.sums = resize(sums, std::int64_t{job.slots} * job.seen * 2);
    job.edge_sums = resize(edge_sums, job.edge_sums_size);
    job.weight_sums = resize(weight_sums, job.weight_sums_size);
    job.unit_sums = resize(unit_sums, static_cast<std::int64_t>(job.units.size()) * job.seen * 2);
    kernels::for_blocks<kernels::forward_first, float>(job, job.blocks);
    kernels::complete_norms<float>(job, bound.running, [](int) { return true; });
    kernels::for_blocks<kernels::forward_second, float>(job, job.blocks);
    kernels::complete_norms<float>(job, bound.running, [](int) { return true; });
    kernels::for_blocks<kernels::backward_sums, float>(job, job.blocks);
    kernels::complete_terms<float>(job, nullptr, static_cast<std::int64_t>(ops.size()), nullptr);
    kernels::for_blocks<kernels::backward_last, float>(job, job.blocks);
    kernels::complete_units(job);
  }
  /// Multiply-adds of the convolutions of some units, counted as published (each once).
  template <class Chosen>
  double products(Chosen chosen) const {
    double sum = 0;
    for (const auto& unit : bound.job.units) {
      if (!chosen(unit)) continue;
      const double taps = unit.kernel * unit.kernel + bound.job.seen;
      sum += taps * bound.job.seen * bound.job.out_height * bound.job.out_width *
             static_cast<double>(s.shape.batch);
    }
    return sum;
  }
  /// Multiply-adds of the weighted sums: seen channels of each op of each edge, bypassed ones of each edge.
  double weighted() const {
    const auto partial = static_cast<double>(s.shape.partial);
    return static_cast<double>(s.edges.size()) * static_cast<double>(x.numel()) *
           (static_cast<double>(ops.size()) / partial + 1 - 1 / partial);
  }
  double bytes(const Tensor& t) const { return static_cast<double>(t.numel()) * 4; }
};

/// Independent sums of products in registers: nothing but arithmetic.
struct only_products {
  static constexpr int sums = 12;
  static constexpr std::int64_t repeats = 1 << 22;
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(T* const& to, std::int64_t) {
    typename S::vec sum[sums];
    const typename S::vec a = S::at(to);
    const typename S::vec b = S::at(to + S::lanes);
    for (auto& s : sum) s = a;
    for (std::int64_t i = 0; i < repeats; ++i) {
      CRISPNAS_UNROLL
      for (int j = 0; j < sums; ++j) sum[j] = sum[j] * a + b;
    }
    for (const auto& s : sum) S::at(to) += s;
  }
};

/// Reads streams side by side, of which it changes `changed`, in an array that no near cache holds: nothing
/// but memory. Passes that write reach more bytes a second than those that only read.
template <int Changed>
struct only_memory {
  static constexpr int streams = 8;
  static constexpr std::int64_t scalars = std::int64_t{1} << 24;
  static constexpr std::int64_t length = scalars / streams - 5 * 64;  // they lie off the powers of two
  static constexpr double bytes = 4.0 * static_cast<double>((streams + Changed) * length);
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(T* const& from, std::int64_t) {
    typename S::vec sum[streams]{};
    for (std::int64_t i = 0; i + S::lanes <= length; i += S::lanes) {
      CRISPNAS_UNROLL
      for (int j = 0; j < streams; ++j) {
        auto& v = S::at(from + j * length + i);
        sum[j] += v;
        if (j < Changed) v = sum[j];
      }
    }
    for (int j = 1; j < streams; ++j) sum[0] += sum[j];
    S::at(from) = sum[0] * T(0);
  }
};

/// The ceilings of the roofline, of one thread: measured when they are first asked for, best of five.
struct ceilings {
  double products = 0;  ///< multiply-adds a second
  double bytes = 0;     ///< read and written in a second, in memory that is not near

  static const ceilings& of_this_machine() {
    static const ceilings measured;
    return measured;
  }

 private:
  ceilings() {
    at::set_num_threads(1);
    const Tensor array = kernels::workspace_zeros({only_memory<0>::scalars}, at::kFloat);
    auto* const data = array.data_ptr<float>();
    products = static_cast<double>(only_products::sums * only_products::repeats * kernels::lanes<float>()) /
               seconds<only_products>(data);
    for (const double rate : {only_memory<0>::bytes / seconds<only_memory<0>>(data),
                              only_memory<2>::bytes / seconds<only_memory<2>>(data),
                              only_memory<4>::bytes / seconds<only_memory<4>>(data)})
      bytes = std::max(bytes, rate);
  }
  template <class Body>
  static double seconds(float* const& data) {
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
      const auto started = std::chrono::steady_clock::now();
      kernels::for_blocks<Body, float>(data, 1);
      best =
          std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    }
    return best;
  }
};

/// Multiply-adds and bytes a second; the time that the nearer ceiling allows; and the part of it that is
/// reached. bound_ms is the ceiling's, not a rate.
void roofline(benchmark::State& bench, double products, double bytes) {
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  const ceilings& top = ceilings::of_this_machine();
  const double bound = std::max(products / top.products, bytes / top.bytes);
  bench.counters["multiply_adds"] = benchmark::Counter(products, rate);
  bench.counters["bytes"] = benchmark::Counter(bytes, rate);
  bench.counters["bound_ms"] = 1e3 * bound;
  bench.counters["of_bound"] = benchmark::Counter(bound, rate);
  bench.SetLabel(products / top.products > bytes / top.bytes ? "arithmetic" : "memory");
}

void ceilings_of_the_machine(benchmark::State& bench) {
  for (auto _ : bench) benchmark::DoNotOptimize(ceilings::of_this_machine());
  bench.counters["multiply_adds"] = ceilings::of_this_machine().products;
  bench.counters["bytes"] = ceilings::of_this_machine().bytes;
}
BENCHMARK(ceilings_of_the_machine)->Iterations(1);

template <class Body>
void time_pass(benchmark::State& bench, const passes& p, double products, double bytes) {
  for (auto _ : bench) kernels::for_blocks<Body, float>(p.bound.job, p.bound.job.blocks);
  roofline(bench, products, bytes);
}

using unit = kernels::conv_unit<float>;
constexpr auto reads_state = [](const unit& u) { return u.parent < 0; };
constexpr auto follows = [](const unit& u) { return u.parent >= 0; };
constexpr auto is_last = [](const unit& u) { return u.last; };
constexpr auto is_first = [](const unit& u) { return !u.last; };

// Bytes: every tensor that a pass reads or writes in memory, once (a third of z is first halves of separable
// convolutions).
void pass_forward_first(benchmark::State& bench) {
  const passes p(bench);
  time_pass<kernels::forward_first>(
      bench, p, p.products(reads_state),
      p.bytes(p.x) / static_cast<double>(p.s.shape.partial) + p.bytes(p.z) * 2 / 3);
}
void pass_forward_second(benchmark::State& bench) {
  const passes p(bench);
  time_pass<kernels::forward_second>(bench, p, p.products(follows), p.bytes(p.z) * 2 / 3);
}
void pass_forward_mix(benchmark::State& bench) {
  const passes p(bench);
  time_pass<kernels::forward_mix>(bench, p, p.weighted(), p.bytes(p.z) * 2 / 3 + p.bytes(p.x) * (1 + 2 * 4));
}
void pass_backward_sums(benchmark::State& bench) {
  const passes p(bench);
  time_pass<kernels::backward_sums>(bench, p, p.weighted(),
                                    p.bytes(p.z) * 2 / 3 + p.bytes(p.x) * (1 + 1 + 4));
}
void pass_backward_last(benchmark::State& bench) {
  const passes p(bench);
  const double seen = p.bytes(p.x) / static_cast<double>(p.s.shape.partial);
  time_pass<kernels::backward_last>(bench, p, 2 * p.products(is_last),
                                    p.bytes(p.z) + p.bytes(p.dy) + 6 * seen);
}
void pass_backward_first(benchmark::State& bench) {
  const passes p(bench);
  const double seen = p.bytes(p.x) / static_cast<double>(p.s.shape.partial);
  time_pass<kernels::backward_first>(bench, p, 2 * p.products(is_first),
                                     p.bytes(p.z) / 3 + p.bytes(p.dy) + 3 * seen);
}

// One block stays in the cache: the pass without main memory.
void pass_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "channels", "size", "K"})->Unit(benchmark::kMillisecond);
  bench->Args({64, 16, 32, 4})->Args({kernels::lanes<float>(), 16, 32, 4})->Args({64, 64, 8, 4});
}
BENCHMARK(pass_forward_first)->Apply(pass_sizes);
BENCHMARK(pass_forward_second)->Apply(pass_sizes);
BENCHMARK(pass_forward_mix)->Apply(pass_sizes);
BENCHMARK(pass_backward_sums)->Apply(pass_sizes);
BENCHMARK(pass_backward_last)->Apply(pass_sizes);
BENCHMARK(pass_backward_first)->Apply(pass_sizes);

/// The preprocessing of four nodes to the channels of one.
struct preprocessing {
  std::vector<Tensor> inputs;
  Tensor weight;
  kernels::norm_state norm;
  std::int64_t batch;
  double products, plane;  // bytes of a tensor of one node's channels

  explicit preprocessing(const benchmark::State& bench) : batch(bench.range(0)) {
    at::set_num_threads(1);
    const std::int64_t channels = bench.range(1);
    const std::int64_t size = bench.range(2);
    for (int i = 0; i < 4; ++i)
      inputs.push_back(kernels::to_blocked(at::randn({batch, channels, size, size})).requires_grad_());
    weight = at::randn({channels, 4 * channels, 1, 1}).requires_grad_();
    norm = {at::zeros({channels}), at::ones({channels})};
    products = static_cast<double>(batch * size * size * channels * 4 * channels);
    plane = static_cast<double>(inputs[0].numel()) * 4;
  }
  Tensor forward() const { return kernels::preprocess(inputs, weight, norm, batch, {}); }
};

// Four inputs are read and z written; z is read and written once more, normalized.
void pass_preprocess_forward(benchmark::State& bench) {
  const preprocessing p(bench);
  const at::NoGradGuard no_gradients;
  for (auto _ : bench) benchmark::DoNotOptimize(p.forward());
  roofline(bench, p.products, 7 * p.plane);
}
// The output and its gradient are read twice, the inputs once, and their gradients written.
void pass_preprocess_backward(benchmark::State& bench) {
  const preprocessing p(bench);
  auto leaves = p.inputs;
  leaves.push_back(p.weight);
  const Tensor y = p.forward();
  const Tensor g = at::ones_like(y);
  for (auto _ : bench) benchmark::DoNotOptimize(torch::autograd::grad({y}, leaves, {g}, true));
  roofline(bench, 2 * p.products, 12 * p.plane);
}
void preprocess_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "channels", "size"})->Unit(benchmark::kMillisecond);
  bench->Args({64, 16, 32})->Args({64, 64, 8});
}
BENCHMARK(pass_preprocess_forward)->Apply(preprocess_sizes);
BENCHMARK(pass_preprocess_backward)->Apply(preprocess_sizes);

}  // namespace

BENCHMARK_MAIN();
