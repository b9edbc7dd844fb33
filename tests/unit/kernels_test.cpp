// Fused kernels against the same operations composed of stock ones, in double precision: outputs, every
// gradient, running statistics; then float32 against the double-precision reference.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <crispnas/error.hpp>
#include <crispnas/kernels/kernels.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "doctest.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> heap_bytes{0};
std::atomic<int> tensor_requests{0};

/// Counts what `new` and LibTorch's allocator of tensors are asked for.
class counted_memory {
 public:
  counted_memory() : allocator_(c10::GetCPUAllocator()) {
    heap_bytes = 0;
    tensor_requests = 0;
    c10::SetCPUAllocator(&allocator_, 1);
    counting = true;
  }
  ~counted_memory() { stop(); }
  void stop() {
    counting = false;
    c10::SetCPUAllocator(allocator_.before, 1);
  }

 private:
  struct counting_allocator final : c10::Allocator {
    explicit counting_allocator(c10::Allocator* other) : before(other) {}
    c10::DataPtr allocate(std::size_t size) override {
      ++tensor_requests;
      return before->allocate(size);
    }
    c10::DeleterFnPtr raw_deleter() const override { return before->raw_deleter(); }
    void copy_data(void* to, const void* from, std::size_t size) const override {
      before->copy_data(to, from, size);
    }
    c10::Allocator* before;
  };
  counting_allocator allocator_;
};

}  // namespace

// All forms of new end here, the others' definitions call these. The sanitizer's own stay, and count nothing.
#if !defined(CRISPNAS_WATCHED_ADDRESSES)
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (counting) heap_bytes += size;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void* operator new(std::size_t size) {
  if (counting) heap_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace {

namespace kernels = crispnas::kernels;
using at::Tensor;
using kernels::op_kind;

constexpr double double_tolerance = 1e-11;  // relative to the largest element
constexpr double float_tolerance = 1e-4;

/// Largest error of a, relative to the largest element of b (or `least`, if that is larger).
double difference(const Tensor& a, const Tensor& b, double least = 0) {
  const double size = std::max({b.abs().max().item<double>(), least, 1e-30});
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() / size;
}

/// Numbers that do not depend on the tests before.
struct numbers {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  Tensor normal(at::IntArrayRef shape, double scale = 1) {
    return at::randn(shape, generator, at::kDouble) * scale;
  }
};

const std::vector<op_kind> all_ops{op_kind::none,         op_kind::max_pool_3x3, op_kind::avg_pool_3x3,
                                   op_kind::skip_connect, op_kind::sep_conv_3x3, op_kind::sep_conv_5x5,
                                   op_kind::sep_conv_7x7, op_kind::dil_conv_3x3, op_kind::dil_conv_5x5,
                                   op_kind::nor_conv_1x1};
const std::vector<op_kind> nas_bench_201{op_kind::none, op_kind::skip_connect, op_kind::nor_conv_1x1,
                                         op_kind::nor_conv_3x3, op_kind::avg_pool_3x3};

int kernel_of(op_kind kind) {
  switch (kind) {
    case op_kind::sep_conv_3x3:
    case op_kind::nor_conv_3x3:
    case op_kind::dil_conv_3x3:
      return 3;
    case op_kind::sep_conv_5x5:
    case op_kind::dil_conv_5x5:
      return 5;
    case op_kind::sep_conv_7x7:
      return 7;
    default:
      return 1;
  }
}

kernels::norm_state new_norm(numbers& draw, std::int64_t channels) {
  return {draw.normal({channels}, 0.1), draw.normal({channels}).abs() + 0.5};
}

kernels::op_params new_op(numbers& draw, op_kind kind, std::int64_t c, std::int64_t stride,
                          bool bare_pools = false) {
  kernels::op_params op{kind, {}, {}};
  const int k = kernel_of(kind);
  const auto half = [&] {
    op.weights.push_back(draw.normal({c, 1, k, k}, 0.3));
    op.weights.push_back(draw.normal({c, c, 1, 1}, 0.5));
    op.norms.push_back(new_norm(draw, c));
  };
  switch (kind) {
    case op_kind::none:
      break;
    case op_kind::max_pool_3x3:
    case op_kind::avg_pool_3x3:
      if (!bare_pools) op.norms.push_back(new_norm(draw, c));
      break;
    case op_kind::skip_connect:
      if (stride == 2) {
        op.weights = {draw.normal({c / 2, c, 1, 1}, 0.5), draw.normal({c - c / 2, c, 1, 1}, 0.5)};
        op.norms.push_back(new_norm(draw, c));
      }
      break;
    case op_kind::sep_conv_3x3:
    case op_kind::sep_conv_5x5:
    case op_kind::sep_conv_7x7:
      half();
      [[fallthrough]];
    case op_kind::dil_conv_3x3:
    case op_kind::dil_conv_5x5:
      half();
      break;
    case op_kind::nor_conv_1x1:
    case op_kind::nor_conv_3x3:
      op.weights = {draw.normal({c, c, k, k}, 0.5), draw.normal({c})};
      op.norms.push_back(new_norm(draw, c));
      break;
  }
  return op;
}

/// Everything a call reads, with its own leaves: `to` copies it into another type.
struct problem {
  Tensor x, op_weights, edge_weights;
  std::vector<kernels::mixed_edge> edges;
  kernels::state_shape shape;
  kernels::norm_mode mode;
  std::vector<char> used;  ///< [edges, ops] or empty: what a cut leaves

  problem to(at::ScalarType type) const {
    problem copy = *this;
    const auto leaf = [&](const Tensor& t) { return t.detach().to(type).clone().requires_grad_(); };
    copy.x = leaf(x);
    copy.op_weights = leaf(op_weights);
    copy.edge_weights = leaf(edge_weights);
    for (auto& edge : copy.edges) {
      for (auto& op : edge.ops) {
        for (auto& w : op.weights) w = leaf(w);
        for (auto& norm : op.norms) norm = {norm.mean.to(type).clone(), norm.variance.to(type).clone()};
      }
    }
    return copy;
  }
  std::vector<Tensor> leaves() const {
    std::vector<Tensor> all{x, op_weights, edge_weights};
    for (const auto& edge : edges) {
      for (const auto& op : edge.ops) all.insert(all.end(), op.weights.begin(), op.weights.end());
    }
    return all;
  }
  std::vector<Tensor> statistics() const {
    std::vector<Tensor> all;
    for (const auto& edge : edges) {
      for (const auto& op : edge.ops) {
        for (const auto& norm : op.norms) {
          all.push_back(norm.mean);
          all.push_back(norm.variance);
        }
      }
    }
    return all;
  }
};

Tensor stock_norm(const Tensor& x, const kernels::norm_state& norm, kernels::norm_mode mode) {
  const bool keep = !mode.training || mode.update;
  return at::batch_norm(x, {}, {}, keep ? norm.mean : Tensor(), keep ? norm.variance : Tensor(),
                        mode.training, 0.1, 1e-5, false);
}

Tensor stock_op(const Tensor& x, const kernels::op_params& op, std::int64_t stride, kernels::norm_mode mode) {
  const auto c = x.size(1);
  const int k = kernel_of(op.kind);
  const auto half = [&](const Tensor& in, std::size_t i, std::int64_t s, std::int64_t dilation) {
    const auto pad = dilation * (k - 1) / 2;
    const Tensor u = at::conv2d(in.relu(), op.weights[2 * i], {}, at::IntArrayRef{s, s},
                                at::IntArrayRef{pad, pad}, at::IntArrayRef{dilation, dilation}, c);
    return stock_norm(at::conv2d(u, op.weights[2 * i + 1]), op.norms[i], mode);
  };
  switch (op.kind) {
    case op_kind::none:
      return x.slice(2, 0, {}, stride).slice(3, 0, {}, stride) * 0.0;
    case op_kind::max_pool_3x3: {
      const Tensor y = at::max_pool2d(x, {3, 3}, {stride, stride}, {1, 1});
      return op.norms.empty() ? y : stock_norm(y, op.norms[0], mode);
    }
    case op_kind::avg_pool_3x3: {
      const Tensor y = at::avg_pool2d(x, {3, 3}, {stride, stride}, {1, 1}, false, false);
      return op.norms.empty() ? y : stock_norm(y, op.norms[0], mode);
    }
    case op_kind::skip_connect: {
      if (stride == 1) return x;
      const Tensor r = x.relu();
      return stock_norm(
          at::cat({at::conv2d(r, op.weights[0], {}, at::IntArrayRef{2, 2}),
                   at::conv2d(r.slice(2, 1).slice(3, 1), op.weights[1], {}, at::IntArrayRef{2, 2})},
                  1),
          op.norms[0], mode);
    }
    case op_kind::sep_conv_3x3:
    case op_kind::sep_conv_5x5:
    case op_kind::sep_conv_7x7:
      return half(half(x, 0, stride, 1), 1, 1, 1);
    case op_kind::dil_conv_3x3:
    case op_kind::dil_conv_5x5:
      return half(x, 0, stride, 2);
    case op_kind::nor_conv_1x1:
    case op_kind::nor_conv_3x3:
      return stock_norm(at::conv2d(x.relu(), op.weights[0], op.weights[1], at::IntArrayRef{stride, stride},
                                   at::IntArrayRef{k / 2, k / 2}),
                        op.norms[0], mode);
  }
  return x;
}

/// The mixed operation as the papers write it.
Tensor stock_edge(const Tensor& x, const kernels::mixed_edge& edge, const Tensor& op_weights,
                  kernels::state_shape shape, kernels::norm_mode mode, const char* used) {
  const auto k = shape.partial;
  const auto seen = x.size(1) / k;
  const Tensor in = x.slice(1, 0, seen);
  Tensor mixed = stock_op(in, {}, shape.stride, mode);
  for (std::size_t o = 0; o < edge.ops.size(); ++o) {
    if (used != nullptr && !used[o]) continue;
    mixed = mixed + stock_op(in, edge.ops[o], shape.stride, mode) * op_weights[static_cast<std::int64_t>(o)];
  }
  if (k == 1) return mixed;
  Tensor bypass = x.slice(1, seen);
  if (shape.stride == 2) bypass = at::max_pool2d(bypass, {2, 2}, {2, 2});
  const Tensor all = at::cat({mixed, bypass}, 1);
  return all.view({all.size(0), k, seen, all.size(2), all.size(3)}).transpose(1, 2).reshape(all.sizes());
}

std::vector<Tensor> stock(const problem& p, std::vector<Tensor> nodes) {
  for (std::size_t e = 0; e < p.edges.size(); ++e) {
    const auto row = static_cast<std::int64_t>(e);
    const Tensor y = stock_edge(p.x, p.edges[e], p.op_weights[row], p.shape, p.mode,
                                p.used.empty() ? nullptr : p.used.data() + e * p.edges[e].ops.size()) *
                     p.edge_weights[row];
    Tensor& node = nodes[static_cast<std::size_t>(p.edges[e].target)];
    node = node.defined() ? node + y : y;
  }
  return nodes;
}

std::vector<Tensor> fused(const problem& p, std::vector<Tensor> nodes) {
  for (auto& node : nodes) node = node.defined() ? kernels::to_blocked(node) : node;
  auto out = kernels::mixed_state(kernels::to_blocked(p.x), p.op_weights, p.edge_weights, p.edges, nodes,
                                  p.shape, p.mode, p.used);
  for (auto& node : out) node = node.defined() ? kernels::from_blocked(node, p.shape.batch) : node;
  return out;
}

/// Gradients of a fixed random functional of the nodes.
std::vector<Tensor> gradients(const std::vector<Tensor>& nodes, const std::vector<Tensor>& leaves) {
  numbers draw;
  std::vector<Tensor> outputs, weights;
  for (const auto& node : nodes) {
    if (!node.defined()) continue;
    outputs.push_back(node);
    weights.push_back(draw.normal(node.sizes()).to(at::kFloat).to(node.scalar_type()));
  }
  return torch::autograd::grad(outputs, leaves, weights, std::nullopt, false, true);
}

/// In float32 the kernels may err at most this many times as much as stock operations do, on average over
/// many problems: the error of one small problem is a matter of luck.
constexpr double float_error_ratio = 2;

/// Sums over problems of the largest errors, relative to the largest elements of their tensors.
struct float_errors {
  double nodes = 0, gradients = 0;
};

/// What a gradient's error is relative to, at least. A weight before batch statistics can have a gradient
/// that cancels almost to nothing: rounding errors are relative to what cancels, so this is a thousandth of
/// the largest gradient. A bias there has the gradient zero, and both sides hold only rounding errors of what
/// cancels: the scale is that.
double least_scale(const Tensor& expected, double largest) {
  return expected.abs().max().item<double>() < 1e-9 * largest ? largest : 1e-3 * largest;
}

double largest_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double largest) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (b[i].defined()) worst = std::max(worst, difference(a[i], b[i], least_scale(b[i], largest)));
  }
  return worst;
}

/// `ours_total` and `stock_total` gather the errors of float32, if given.
void compare(const problem& exact, at::ScalarType type, double tolerance, bool started = false,
             float_errors* ours_total = nullptr, float_errors* stock_total = nullptr) {
  // All compute with the same numbers, those of `type`.
  problem ours = exact.to(type);
  problem reference = ours.to(at::kDouble);
  numbers draw;
  std::vector<Tensor> nodes(3), our_nodes(3);
  if (started) {
    const auto h = (exact.x.size(2) + exact.shape.stride - 1) / exact.shape.stride;
    const auto w = (exact.x.size(3) + exact.shape.stride - 1) / exact.shape.stride;
    our_nodes[0] = draw.normal({exact.x.size(0), exact.x.size(1), h, w}).to(type).requires_grad_();
    nodes[0] = our_nodes[0].detach().to(at::kDouble).clone().requires_grad_();
  }
  auto expected = stock(reference, nodes);
  auto got = fused(ours, our_nodes);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(expected[i].defined() == got[i].defined());
    if (expected[i].defined()) CHECK(difference(got[i], expected[i]) < tolerance);
  }
  auto leaves = reference.leaves();
  auto our_leaves = ours.leaves();
  if (started) {
    leaves.push_back(nodes[0]);
    our_leaves.push_back(our_nodes[0]);
  }
  const auto expected_gradients = gradients(expected, leaves);
  const auto got_gradients = gradients(got, our_leaves);
  double largest = 0;
  for (const auto& g : expected_gradients) {
    if (g.defined()) largest = std::max(largest, g.abs().max().item<double>());
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    INFO("gradient ", i);
    if (!expected_gradients[i].defined()) continue;
    REQUIRE(got_gradients[i].defined());
    CHECK(difference(got_gradients[i], expected_gradients[i], least_scale(expected_gradients[i], largest)) <
          tolerance);
  }
  if (ours_total != nullptr) {
    problem single = exact.to(type);
    const auto nodes_of_stock = stock(single, std::vector<Tensor>(3));
    const auto gradients_of_stock = gradients(nodes_of_stock, single.leaves());
    ours_total->nodes += largest_difference(got, expected, 0);
    stock_total->nodes += largest_difference(nodes_of_stock, expected, 0);
    ours_total->gradients += largest_difference(got_gradients, expected_gradients, largest);
    stock_total->gradients += largest_difference(gradients_of_stock, expected_gradients, largest);
  }
  const auto expected_statistics = reference.statistics();
  const auto got_statistics = ours.statistics();
  for (std::size_t i = 0; i < expected_statistics.size(); ++i) {
    INFO("statistic ", i);
    CHECK(difference(got_statistics[i], expected_statistics[i]) < tolerance);
  }
}

problem make_problem(numbers& draw, const std::vector<op_kind>& ops, std::int64_t batch,
                     std::int64_t channels, std::int64_t h, std::int64_t w, std::int64_t stride,
                     std::int64_t partial, bool training, const std::vector<std::int64_t>& targets = {0}) {
  problem p;
  p.x = draw.normal({batch, channels, h, w});
  p.shape = {batch, partial, stride};
  p.mode = {training, true};
  for (const auto target : targets) {
    kernels::mixed_edge edge{target, {}};
    for (const auto kind : ops) edge.ops.push_back(new_op(draw, kind, channels / partial, stride));
    p.edges.push_back(edge);
  }
  const auto edges = static_cast<std::int64_t>(targets.size());
  p.op_weights = at::softmax(draw.normal({edges, static_cast<std::int64_t>(ops.size())}), 1);
  p.edge_weights = at::softmax(draw.normal({edges}), 0);
  return p;
}

}  // namespace

TEST_CASE("one op of one edge is the stock composition") {
  numbers draw;
  float_errors ours, stock_operations;
  for (const auto kind : all_ops) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t partial : {1, 4}) {
        for (const bool training : {true, false}) {
          for (const std::int64_t batch : {1, 5, 16, 37}) {
            INFO("op ", static_cast<int>(kind), " stride ", stride, " K ", partial, " training ", training,
                 " batch ", batch);
            const problem p = make_problem(draw, {kind}, batch, 2 * partial, 6, 8, stride, partial, training);
            compare(p, at::kDouble, double_tolerance);
            compare(p, at::kFloat, float_tolerance, false, &ours, &stock_operations);
          }
        }
      }
    }
  }
  CHECK(ours.nodes <= float_error_ratio * stock_operations.nodes);
  CHECK(ours.gradients <= float_error_ratio * stock_operations.gradients);
  MESSAGE("errors in float32 relative to stock operations: nodes ", ours.nodes / stock_operations.nodes,
          ", gradients ", ours.gradients / stock_operations.gradients);
}

TEST_CASE("states drawn at random, of odd sizes, single images, stride 2") {
  std::mt19937_64 random(11);
  const auto below = [&](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
  numbers draw;
  float_errors ours, stock_operations;
  for (int i = 0; i < 60; ++i) {
    const std::int64_t stride = 1 + below(2);
    const std::int64_t partial = std::int64_t{1} << below(3);
    const bool training = below(3) != 0;
    std::vector<op_kind> ops;
    for (const auto kind : all_ops) {
      // What halves a state by a factorized reduction or a 2x2 pool needs even sizes.
      if (below(2) == 0 && !(stride == 2 && kind == op_kind::skip_connect)) ops.push_back(kind);
    }
    ops.push_back(op_kind::sep_conv_3x3);
    const bool even = stride == 2 && partial > 1;
    const std::int64_t h = even ? 2 + 2 * below(6) : 2 + below(12);
    const std::int64_t w = even ? 2 + 2 * below(6) : 2 + below(12);
    const std::int64_t batch = i % 5 == 0 ? 1 : 1 + below(40);
    const std::vector<std::int64_t> targets =
        below(2) == 0 ? std::vector<std::int64_t>{0, 2} : std::vector<std::int64_t>{1};
    INFO("state ", i, ": ", batch, " of ", h, " x ", w, ", stride ", stride, ", K ", partial);
    const problem p =
        make_problem(draw, ops, batch, partial * (1 + below(9)), h, w, stride, partial, training, targets);
    compare(p, at::kDouble, double_tolerance);
    // Few values can have almost no variance: how much is too much, the stock operations say.
    compare(p, at::kFloat, 1, false, &ours, &stock_operations);
  }
  CHECK(ours.nodes <= float_error_ratio * stock_operations.nodes);
  CHECK(ours.gradients <= float_error_ratio * stock_operations.gradients);
  MESSAGE("errors in float32 relative to stock operations: nodes ", ours.nodes / stock_operations.nodes,
          ", gradients ", ours.gradients / stock_operations.gradients);
}

TEST_CASE("far from zero, too, float32 errs at most twice as much as stock operations") {
  numbers draw;
  const auto check = [](const float_errors& ours, const float_errors& stock_operations,
                        const std::string& what) {
    CAPTURE(what);
    CHECK(ours.nodes <= float_error_ratio * stock_operations.nodes);
    CHECK(ours.gradients <= float_error_ratio * stock_operations.gradients);
    return std::max(ours.nodes / stock_operations.nodes, ours.gradients / stock_operations.gradients);
  };
#if defined(CRISPNAS_WATCHED_ADDRESSES)
  const std::vector<double> means{100};  // each takes many times as long
#else
  const std::vector<double> means{10, 100, 1000};
#endif
  for (const double mean : means) {
    double worst = 0;
    std::vector<std::vector<op_kind>> sets{all_ops};  // an edge with all ops; edges of one
    for (const auto kind : all_ops) {
      if (kind != op_kind::none) sets.push_back({kind});
    }
    for (const auto& ops : sets) {
      float_errors ours, stock_operations;
      for (const std::int64_t stride : {1, 2}) {
        for (const std::int64_t batch : {1, 2, 3, 5, 8, 11, 16, 21, 30, 37}) {
          problem p = make_problem(draw, ops, batch, 4, 12, 10, stride, 1, true);
          p.x = p.x + mean;
          compare(p, at::kFloat, 1, false, &ours, &stock_operations);
        }
      }
      worst = std::max(worst, check(ours, stock_operations,
                                    "mean " + std::to_string(mean) + ", " +
                                        (ops.size() > 1 ? "all ops" : "op " + std::to_string(int(ops[0])))));
    }
    MESSAGE("mean ", mean, ": largest ratio of errors ", worst);
  }
}

TEST_CASE("far from zero, too, float32 errs at most twice as much as stock operations: preprocessing") {
  numbers draw;
  for (const double mean : {10., 100., 1000.}) {
    double ours = 0, stock_operations = 0, our_gradients = 0, stock_gradients = 0;
    for (const std::int64_t batch : {5, 16, 37}) {
      const Tensor x = (draw.normal({batch, 5, 8, 6}) + mean).to(at::kFloat);
      const Tensor w = draw.normal({4, 5, 1, 1}).to(at::kFloat);
      const kernels::norm_state none;
      struct outcome {
        Tensor value;
        std::vector<Tensor> gradients;
      };
      const auto run = [&](at::ScalarType type, bool by_kernels) {
        const std::vector<Tensor> leaves{x.to(type).clone().requires_grad_(),
                                         w.to(type).clone().requires_grad_()};
        const Tensor y = by_kernels
                             ? kernels::from_blocked(kernels::preprocess({kernels::to_blocked(leaves[0])},
                                                                         leaves[1], none, batch, {}),
                                                     batch)
                             : stock_norm(at::conv2d(leaves[0].relu(), leaves[1]), none, {});
        return outcome{y.detach(), gradients({y}, leaves)};
      };
      const outcome exact = run(at::kDouble, false), got = run(at::kFloat, true),
                    stock = run(at::kFloat, false);
      ours += difference(got.value, exact.value);
      stock_operations += difference(stock.value, exact.value);
      our_gradients += largest_difference(got.gradients, exact.gradients, 0);
      stock_gradients += largest_difference(stock.gradients, exact.gradients, 0);
    }
    CHECK(ours <= float_error_ratio * stock_operations);
    CHECK(our_gradients <= float_error_ratio * stock_gradients);
    MESSAGE("mean ", mean, ": errors relative to stock operations ", ours / stock_operations, ", gradients ",
            our_gradients / stock_gradients);
  }
}

TEST_CASE("a lost number is seen where stock operations show it") {
  numbers draw;
  int seen = 0;
  for (const auto kind : all_ops) {
    if (kind == op_kind::none) continue;  // 0 * NaN is what the kernels leave out
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t partial : {1, 4}) {
        for (const bool training : {true, false}) {
          for (const double lost :
               {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
            INFO("op ", static_cast<int>(kind), " stride ", stride, " K ", partial, " training ", training,
                 " ", lost);
            problem p = make_problem(draw, {kind}, 5, 4 * partial, 6, 8, stride, partial, training);
            p.x[3][1][2][3] = lost;                                 // where operations see it
            if (partial > 1) p.x[2][4 * partial - 1][4][5] = lost;  // where it passes by
            const problem reference = p.to(at::kDouble), ours = p.to(at::kDouble);
            const Tensor expected = stock(reference, std::vector<Tensor>(1))[0];
            const Tensor got = fused(ours, std::vector<Tensor>(1))[0];
            CHECK(at::equal(got.isfinite(), expected.isfinite()));
            if (std::isnan(lost)) CHECK(at::equal(got.isnan(), expected.isnan()));
            if (!expected.isfinite().all().item<bool>()) ++seen;
            const auto expected_statistics = reference.statistics(), got_statistics = ours.statistics();
            for (std::size_t i = 0; i < expected_statistics.size(); ++i) {
              CHECK(at::equal(got_statistics[i].isfinite(), expected_statistics[i].isfinite()));
            }
          }
        }
      }
    }
  }
  CHECK(seen > 100);
  for (const bool training : {true, false}) {
    Tensor x = draw.normal({5, 6, 4, 4});
    x[1][2][3][3] = std::numeric_limits<double>::quiet_NaN();
    const Tensor w = draw.normal({4, 6, 1, 1});
    const auto norm = new_norm(draw, 4);
    const kernels::norm_state own{norm.mean.clone(), norm.variance.clone()};
    const kernels::norm_mode mode{training, true};
    const Tensor got =
        kernels::from_blocked(kernels::preprocess({kernels::to_blocked(x)}, w, own, 5, mode), 5);
    CHECK(at::equal(got.isnan(), stock_norm(at::conv2d(x.relu(), w), norm, mode).isnan()));
    CHECK(at::equal(own.variance.isfinite(), norm.variance.isfinite()));
  }
}

TEST_CASE("several edges with all ops, nodes started and not") {
  numbers draw;
  for (const std::int64_t stride : {1, 2}) {
    for (const std::int64_t partial : {1, 2, 4}) {
      for (const bool training : {true, false}) {
        const problem p = make_problem(draw, all_ops, 11, 24, 8, 10, stride, partial, training, {0, 2, 0});
        compare(p, at::kDouble, double_tolerance);
        compare(p, at::kDouble, double_tolerance, true);
        compare(p, at::kFloat, float_tolerance, true);
      }
    }
  }
}

TEST_CASE("the operations of NAS-Bench-201") {
  numbers draw;
  for (const bool training : {true, false}) {
    for (const std::int64_t channels : {3, 16}) {
      for (const std::int64_t batch : {1, 13}) {
        problem p = make_problem(draw, nas_bench_201, batch, channels, 5, 6, 1, 1, training, {0, 1, 2});
        for (auto& edge : p.edges) edge.ops.back().norms.clear();  // its pools are bare
        compare(p, at::kDouble, double_tolerance);
        compare(p, at::kFloat, float_tolerance, true);
      }
    }
  }
  compare(make_problem(draw, nas_bench_201, 9, 8, 5, 6, 1, 4, true), at::kDouble, double_tolerance);
}

TEST_CASE("a cell: preprocessing, every state, concatenation") {
  numbers draw;
  const std::vector<op_kind> ops{op_kind::max_pool_3x3, op_kind::avg_pool_3x3, op_kind::skip_connect,
                                 op_kind::sep_conv_3x3, op_kind::sep_conv_5x5, op_kind::dil_conv_3x3,
                                 op_kind::dil_conv_5x5};
  for (const bool reduces : {false, true}) {
    const std::int64_t batch = 6;
    const std::int64_t channels = 8;
    const kernels::norm_mode mode;
    std::vector<problem> states;  // the edges of each state; their x is not used
    for (std::int64_t s = 0; s < 5; ++s) {
      std::vector<std::int64_t> targets;
      for (std::int64_t t = std::max<std::int64_t>(0, s - 1); t < 4; ++t) targets.push_back(t);
      states.push_back(
          make_problem(draw, ops, batch, channels, 8, 8, reduces && s < 2 ? 2 : 1, 4, true, targets)
              .to(at::kDouble));
    }
    const Tensor older = draw.normal({batch, 6, 16, 16}).requires_grad_();
    const Tensor newer = draw.normal({batch, 5, 8, 8}).requires_grad_();
    const Tensor w0 = draw.normal({channels / 2, 6, 1, 1}).requires_grad_();
    const Tensor w1 = draw.normal({channels / 2, 6, 1, 1}).requires_grad_();
    const Tensor w2 = draw.normal({channels, 5, 1, 1}).requires_grad_();
    std::vector<Tensor> leaves{older, newer, w0, w1, w2};
    for (const auto& state : states) {
      const auto own = state.leaves();
      leaves.insert(leaves.end(), own.begin() + 1, own.end());
    }
    const kernels::norm_state none;

    const Tensor r = older.relu();
    std::vector<Tensor> reference{
        stock_norm(at::cat({at::conv2d(r, w0, {}, at::IntArrayRef{2, 2}),
                            at::conv2d(r.slice(2, 1).slice(3, 1), w1, {}, at::IntArrayRef{2, 2})},
                           1),
                   none, mode),
        stock_norm(at::conv2d(newer.relu(), w2), none, mode)};
    std::vector<Tensor> nodes(4);
    for (std::size_t s = 0; s < 5; ++s) {
      problem p = states[s];
      p.x = s < 2 ? reference[s] : nodes[s - 2];
      nodes = stock(p, nodes);
    }
    const Tensor expected = at::cat(nodes, 1);
    const auto expected_gradients = gradients({expected}, leaves);

    const std::vector<Tensor> ours{
        kernels::reduce_inputs({kernels::to_blocked(older)}, w0, w1, none, batch, mode),
        kernels::preprocess({kernels::to_blocked(newer)}, w2, none, batch, mode)};
    std::vector<Tensor> blocked(4);
    for (std::size_t s = 0; s < 5; ++s) {
      const problem& p = states[s];
      blocked = kernels::mixed_state(s < 2 ? ours[s] : blocked[s - 2], p.op_weights, p.edge_weights, p.edges,
                                     blocked, p.shape, mode, {});
    }
    const Tensor got = kernels::from_blocked(blocked, batch);
    const auto got_gradients = gradients({got}, leaves);
    CHECK(difference(got, expected) < double_tolerance);
    double largest = 0;
    for (const auto& g : expected_gradients) largest = std::max(largest, g.abs().max().item<double>());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      INFO("gradient ", i);
      CHECK(difference(got_gradients[i], expected_gradients[i], 1e-3 * largest) < double_tolerance);
    }
  }
}

TEST_CASE("odd sizes and few channels") {
  numbers draw;
  const std::vector<op_kind> no_skip{op_kind::max_pool_3x3, op_kind::avg_pool_3x3, op_kind::sep_conv_3x3,
                                     op_kind::dil_conv_5x5};
  for (const std::int64_t channels : {1, 3, 5}) {
    compare(make_problem(draw, no_skip, 7, channels, 5, 7, 2, 1, true), at::kDouble, double_tolerance);
    compare(make_problem(draw, all_ops, 7, channels, 3, 5, 1, 1, true), at::kDouble, double_tolerance);
  }
}

TEST_CASE("ties of a max pool go to the first pixel") {
  numbers draw;
  problem p = make_problem(draw, {op_kind::max_pool_3x3}, 6, 8, 6, 6, 1, 2, true, {0, 1});
  p.x = (p.x * 2).round();
  compare(p, at::kDouble, double_tolerance);
  p.shape.stride = 2;
  compare(p, at::kDouble, double_tolerance);
}

TEST_CASE("bare pools and cut ops") {
  numbers draw;
  problem p = make_problem(draw, {op_kind::sep_conv_3x3, op_kind::max_pool_3x3, op_kind::avg_pool_3x3}, 6, 8,
                           6, 6, 1, 2, true, {0, 1});
  for (auto& edge : p.edges) {
    edge.ops[1].norms.clear();
    edge.ops[2].norms.clear();
  }
  p.used = {0, 1, 1, 1, 1, 1};
  compare(p, at::kDouble, double_tolerance);
}

TEST_CASE("bare and normalized pools of one state") {
  numbers draw;
  for (const bool bare_first : {false, true}) {
    for (const bool training : {true, false}) {
      problem p = make_problem(draw, {op_kind::max_pool_3x3, op_kind::avg_pool_3x3, op_kind::skip_connect}, 6,
                               8, 6, 6, 1, 2, training, {0, 1});
      p.x = p.x + 3;
      for (auto& op : p.edges[bare_first ? 0 : 1].ops) op.norms.clear();
      compare(p, at::kDouble, double_tolerance);
    }
  }
}

TEST_CASE("running statistics rest when told to") {
  numbers draw;
  problem p = make_problem(draw, all_ops, 6, 8, 6, 6, 1, 2, true);
  p.mode.update = false;
  compare(p, at::kDouble, double_tolerance);
}

TEST_CASE("asking for fewer gradients changes none of them") {
  numbers draw;
  for (const std::int64_t stride : {1, 2}) {
    const problem p = make_problem(draw, all_ops, 9, 8, 6, 6, stride, 2, true, {0, 1}).to(at::kFloat);
    const auto leaves = p.leaves();
    const auto of = [&](std::size_t first, std::size_t last) {
      const std::vector<Tensor> asked(leaves.begin() + static_cast<std::ptrdiff_t>(first),
                                      leaves.begin() + static_cast<std::ptrdiff_t>(last));
      return gradients(fused(p, std::vector<Tensor>(2)), asked);
    };
    const auto all = of(0, leaves.size());
    // The state; op and edge weights, together (as an architecture step asks at a cell's input) and alone;
    // both; the weights.
    const std::vector<std::pair<std::size_t, std::size_t>> ranges{{0, 1}, {1, 3}, {1, 2},
                                                                  {2, 3}, {0, 3}, {3, leaves.size()}};
    for (const auto& range : ranges) {
      const auto some = of(range.first, range.second);
      for (std::size_t i = range.first; i < range.second; ++i) {
        INFO("gradient ", i, " of [", range.first, ", ", range.second, ")");
        CHECK(at::equal(some[i - range.first], all[i]));
      }
    }
  }
}

TEST_CASE("preprocessing reads a list as its concatenation") {
  numbers draw;
  for (const bool halve : {false, true}) {
    for (const bool training : {true, false}) {
      for (const std::int64_t batch : {1, 5, 16, 37}) {
        for (const std::int64_t out : {2, 6, 8}) {
          for (const auto type : {at::kDouble, at::kFloat}) {
            const double tolerance = type == at::kDouble ? double_tolerance : float_tolerance;
            const kernels::norm_mode mode{training, true};
            std::vector<Tensor> leaves{draw.normal({batch, 3, 6, 8}), draw.normal({batch, 4, 6, 8})};
            if (halve) {
              leaves.push_back(draw.normal({out / 2, 7, 1, 1}));
              leaves.push_back(draw.normal({out - out / 2, 7, 1, 1}));
            } else {
              leaves.push_back(draw.normal({out, 7, 1, 1}));
            }
            std::vector<Tensor> ours;
            for (auto& leaf : leaves) {
              ours.push_back(leaf.to(type).clone().requires_grad_());
              leaf.requires_grad_();
            }
            const auto norm = new_norm(draw, out);
            const kernels::norm_state our_norm{norm.mean.to(type).clone(), norm.variance.to(type).clone()};
            const Tensor r = at::cat({leaves[0], leaves[1]}, 1).relu();
            Tensor z =
                halve ? at::cat({at::conv2d(r, leaves[2], {}, at::IntArrayRef{2, 2}),
                                 at::conv2d(r.slice(2, 1).slice(3, 1), leaves[3], {}, at::IntArrayRef{2, 2})},
                                1)
                      : at::conv2d(r, leaves[2]);
            const Tensor expected = stock_norm(z, norm, mode);
            const std::vector<Tensor> blocked{kernels::to_blocked(ours[0]), kernels::to_blocked(ours[1])};
            const Tensor got_blocked =
                halve ? kernels::reduce_inputs(blocked, ours[2], ours[3], our_norm, batch, mode)
                      : kernels::preprocess(blocked, ours[2], our_norm, batch, mode);
            const Tensor got = kernels::from_blocked(got_blocked, batch);
            CHECK(difference(got, expected) < tolerance);
            const auto expected_gradients = gradients({expected}, leaves);
            const auto got_gradients = gradients({got}, ours);
            for (std::size_t i = 0; i < leaves.size(); ++i) {
              CHECK(difference(got_gradients[i], expected_gradients[i]) < tolerance);
            }
            CHECK(difference(our_norm.mean, norm.mean) < tolerance);
            CHECK(difference(our_norm.variance, norm.variance) < tolerance);
          }
        }
      }
    }
  }
}

TEST_CASE("blocked and back is the identity") {
  numbers draw;
  for (const std::int64_t batch : {1, 7, 16, 33}) {
    const Tensor a = draw.normal({batch, 3, 2, 5});
    const Tensor b = draw.normal({batch, 2, 2, 5});
    const Tensor back = kernels::from_blocked({kernels::to_blocked(a), kernels::to_blocked(b)}, batch);
    CHECK(at::equal(back, at::cat({a, b}, 1)));
  }
}

TEST_CASE("the result does not depend on the number of threads") {
  numbers draw;
  const problem p = make_problem(draw, all_ops, 37, 16, 8, 8, 1, 4, true, {0, 1});
  const int before = at::get_num_threads();
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const problem own = p.to(at::kFloat);
    auto nodes = fused(own, std::vector<Tensor>(2));
    auto all = gradients(nodes, own.leaves());
    all.insert(all.end(), nodes.begin(), nodes.end());
    results.push_back(all);
  }
  at::set_num_threads(before);
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    CHECK(at::equal(results[0][i], results[1][i]));
    CHECK(at::equal(results[0][i], results[2][i]));
  }
}

TEST_CASE("a gradient of a gradient is refused") {
  numbers draw;
  const problem p = make_problem(draw, all_ops, 4, 8, 4, 4, 1, 4, true).to(at::kDouble);
  const auto nodes = fused(p, std::vector<Tensor>(1));
  const auto first = torch::autograd::grad({nodes[0].pow(2).sum()}, {p.x}, {}, std::nullopt, true);
  const auto message = [&]() -> std::string {
    try {
      first[0].sum().backward();
    } catch (const crispnas::error& e) {
      return e.what();
    }
    return "nothing was thrown";
  }();
  CHECK(message.find("first-order gradients only") != std::string::npos);
  CHECK(message.find("build the super-network with stock operations") != std::string::npos);
}

TEST_CASE("in the steady state a pass asks for no memory that grows with the images") {
  // What remains are LibTorch's handles of tensors and nodes of the graph and short lists: as many bytes for few
  // and small images as for many and large ones. (Threads have tasks of their own.)
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto bytes_of_a_pass = [](at::ScalarType type, bool training, std::int64_t batch, std::int64_t size) {
    numbers draw;
    const problem p = make_problem(draw, all_ops, batch, 16, size, size, 1, 4, training, {0, 1}).to(type);
    const auto edges = std::make_shared<kernels::state_edges>(p.edges, p.shape.partial, p.shape.stride);
    auto leaves = p.leaves();
    leaves.push_back(draw.normal({16, 16, 1, 1}).to(type).requires_grad_());
    const kernels::norm_state norm{at::zeros({16}, type), at::ones({16}, type)};
    const std::vector<Tensor> ones(2, at::ones_like(p.x));
    const auto pass = [&] {
      const Tensor x = kernels::preprocess({kernels::to_blocked(p.x)}, leaves.back(), norm, batch, p.mode);
      const auto nodes = kernels::mixed_state(edges, x, p.op_weights, p.edge_weights, std::vector<Tensor>(2),
                                              batch, {}, p.mode);
      torch::autograd::grad({kernels::from_blocked(nodes[0], batch), kernels::from_blocked(nodes[1], batch)},
                            leaves, ones);
    };
    pass();
    const auto before = kernels::workspace::of_process().requests();
    CHECK(before > 0);
    {
      const counted_memory of_stock;  // what counts, counts LibTorch's operations
      stock(p, std::vector<Tensor>(2));
      CHECK(tensor_requests > 100);
    }
    counted_memory count;
    for (int i = 0; i < 3; ++i) pass();
    count.stop();
    CHECK(kernels::workspace::of_process().requests() == before);
    CHECK(tensor_requests == 0);
    return heap_bytes / 3;
  };
  for (const auto type : {at::kFloat, at::kDouble}) {
    for (const bool training : {true, false}) {
      CAPTURE(training);
      const auto small = bytes_of_a_pass(type, training, 5, 4);
      const auto large = bytes_of_a_pass(type, training, 37, 16);
      MESSAGE("bytes of handles in a pass: ", small, ", ", large);
#if !defined(CRISPNAS_WATCHED_ADDRESSES)
      CHECK(small > 0);
#endif
      CHECK(large == small);
    }
  }
  at::set_num_threads(threads);
}

TEST_CASE("edges that are used again and again give what new ones give") {
  numbers draw;
  const std::vector<op_kind> ops{op_kind::max_pool_3x3, op_kind::skip_connect, op_kind::sep_conv_3x3,
                                 op_kind::dil_conv_5x5};
  problem large = make_problem(draw, ops, 37, 16, 8, 8, 1, 4, true, {0, 1, 0}).to(at::kFloat);
  problem small = large;
  small.x = draw.normal({5, 16, 4, 6}).to(at::kFloat).requires_grad_();
  small.shape.batch = 5;
  // All share weights and statistics, which rest, so that results can be compared bit for bit.
  large.mode.update = small.mode.update = false;
  problem cut = large;
  cut.used = {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
  problem evaluated = small;
  evaluated.mode.training = false;
  const auto edges = std::make_shared<kernels::state_edges>(large.edges, 4, 1);
  const auto again = [&](const problem& p) {
    auto nodes = kernels::mixed_state(edges, kernels::to_blocked(p.x), p.op_weights, p.edge_weights,
                                      std::vector<Tensor>(2), p.shape.batch, p.used, p.mode);
    for (auto& node : nodes) node = kernels::from_blocked(node, p.shape.batch);
    return nodes;
  };
  const auto same = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      INFO("tensor ", i);
      REQUIRE(a[i].defined() == b[i].defined());
      CHECK((!a[i].defined() || at::equal(a[i], b[i])));
    }
  };
  struct outcome {
    std::vector<Tensor> nodes, gradients;
  };
  const auto expected = [&](const problem& p) {
    outcome o{fused(p, std::vector<Tensor>(2)), {}};
    o.gradients = gradients(o.nodes, p.leaves());
    return o;
  };
  const outcome of_large = expected(large), of_small = expected(small), of_cut = expected(cut),
                of_evaluated = expected(evaluated);
  const std::vector<std::pair<const problem*, const outcome*>> all{
      {&large, &of_large},         {&small, &of_small}, {&cut, &of_cut},     {&large, &of_large},
      {&evaluated, &of_evaluated}, {&cut, &of_cut},     {&small, &of_small}, {&large, &of_large}};
  SUBCASE("one after the other, of other sizes, cut and whole, training and evaluated") {
    for (const auto& [p, wanted] : all) {
      const auto nodes = again(*p);
      same(nodes, wanted->nodes);
      same(gradients(nodes, p->leaves()), wanted->gradients);
    }
  }
  SUBCASE("several passes before any backward pass") {
    std::vector<std::vector<Tensor>> nodes;
    for (const auto& [p, wanted] : all) nodes.push_back(again(*p));
    for (std::size_t i = all.size(); i-- > 0;) {
      same(nodes[i], all[i].second->nodes);
      same(gradients(nodes[i], all[i].first->leaves()), all[i].second->gradients);
    }
  }
  SUBCASE("one graph, several backward passes that ask for different gradients") {
    const auto nodes = again(large);
    const auto leaves = large.leaves();
    const std::vector<Tensor> ones{at::ones_like(nodes[0]), at::ones_like(nodes[1])};
    const auto first = torch::autograd::grad(nodes, leaves, ones, true);
    const auto only_ops = torch::autograd::grad(nodes, {leaves[1]}, ones, true);
    const auto only_x = torch::autograd::grad(nodes, {leaves[0]}, ones, true);
    same(torch::autograd::grad(nodes, leaves, ones), first);
    CHECK(at::equal(only_ops[0], first[1]));
    CHECK(at::equal(only_x[0], first[0]));
  }
  SUBCASE("a call that is refused leaves nothing behind") {
    problem wrong = large;
    wrong.shape.batch = 3;
    CHECK_THROWS_AS(again(wrong), crispnas::error);
    const auto nodes = again(large);
    same(gradients(nodes, large.leaves()), of_large.gradients);
  }
  SUBCASE("the graph outlives the edges") {
    auto own = std::make_shared<kernels::state_edges>(large.edges, 4, 1);
    auto nodes = kernels::mixed_state(own, kernels::to_blocked(large.x), large.op_weights, large.edge_weights,
                                      std::vector<Tensor>(2), 37, {}, large.mode);
    own.reset();
    for (auto& node : nodes) node = kernels::from_blocked(node, 37);
    same(gradients(nodes, large.leaves()), of_large.gradients);
  }
  SUBCASE("by several threads at once") {
    std::vector<std::vector<Tensor>> got(4);
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < got.size(); ++i) {
      workers.emplace_back([&, i] {
        for (int repeat = 0; repeat < 5; ++repeat) {
          const problem& p = i % 2 == 0 ? large : small;
          got[i] = gradients(again(p), p.leaves());
        }
      });
    }
    for (auto& worker : workers) worker.join();
    for (std::size_t i = 0; i < got.size(); ++i)
      same(got[i], i % 2 == 0 ? of_large.gradients : of_small.gradients);
  }
}

TEST_CASE("tables that do not fit are refused") {
  numbers draw;
  const problem p = make_problem(draw, {op_kind::sep_conv_3x3}, 4, 8, 6, 6, 1, 4, true);
  const auto call = [](const problem& q) { return fused(q, std::vector<Tensor>(1)); };
  problem wrong = p;
  wrong.shape.partial = 3;
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = p;
  wrong.shape.batch = 40;
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = p;
  wrong.edges[0].ops[0].weights.pop_back();
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = p;
  wrong.edges[0].target = 5;
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = make_problem(draw, {op_kind::skip_connect}, 4, 8, 5, 6, 2, 1, true);
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = p;  // a column too few, also where a cut is told
  wrong.op_weights = wrong.op_weights.slice(1, 0, 0);
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong = make_problem(draw, {op_kind::sep_conv_3x3, op_kind::dil_conv_3x3}, 4, 8, 6, 6, 1, 4, true);
  wrong.op_weights = wrong.op_weights.slice(1, 0, 1);
  wrong.used = {1};
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  wrong.op_weights = wrong.op_weights.repeat({1, 2});
  CHECK_THROWS_AS(call(wrong), crispnas::error);                            // of one op it is not told
  CHECK_THROWS_AS(fused(p, {draw.normal({4, 8, 6, 4})}), crispnas::error);  // a node of another size
  CHECK_THROWS_AS(fused(p, {draw.normal({4, 4, 6, 6})}), crispnas::error);
  const auto statistics = [&](std::int64_t channels, at::ScalarType type) {
    return kernels::norm_state{at::zeros({channels}, type), at::ones({channels}, type)};
  };
  wrong = make_problem(draw, {op_kind::sep_conv_3x3}, 4, 8, 6, 6, 1, 4, true);
  wrong.edges[0].ops[0].norms[1].variance = at::ones({2}, at::kFloat);
  CHECK_THROWS_AS(call(wrong), crispnas::error);
  const Tensor x = draw.normal({4, 8, 6, 6}), w = draw.normal({8, 8, 1, 1});
  const auto preprocess = [&](const kernels::norm_state& norm) {
    return kernels::preprocess({kernels::to_blocked(x)}, w, norm, 4, {});
  };
  CHECK_NOTHROW(preprocess(statistics(8, at::kDouble)));
  CHECK_THROWS_AS(preprocess(statistics(7, at::kDouble)), crispnas::error);
  CHECK_THROWS_AS(preprocess(statistics(8, at::kFloat)), crispnas::error);
  const Tensor blocked = kernels::to_blocked(x);
  CHECK_NOTHROW(kernels::from_blocked(blocked, 4));
  CHECK_THROWS_AS(kernels::from_blocked(blocked, 400), crispnas::error);
  CHECK_THROWS_AS(kernels::from_blocked(blocked, 0), crispnas::error);
  CHECK_THROWS_AS(kernels::from_blocked(blocked.slice(4, 0, 1), 4), crispnas::error);
  CHECK_THROWS_AS(kernels::from_blocked({blocked, kernels::to_blocked(x.slice(2, 0, 4))}, 4),
                  crispnas::error);
  CHECK_THROWS_AS(kernels::from_blocked({blocked, kernels::to_blocked(x.to(at::kFloat))}, 4),
                  crispnas::error);
  CHECK_THROWS_AS(kernels::from_blocked(std::vector<Tensor>{}, 4), crispnas::error);
  CHECK(kernels::find_op("sep_conv_3x3") == op_kind::sep_conv_3x3);
  CHECK(!kernels::find_op("conv_7x1_1x7"));
}
