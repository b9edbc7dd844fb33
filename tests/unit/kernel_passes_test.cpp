// A state's passes know neither LibTorch nor how many images lie side by side: here they run on plain memory, by one image
// at a time (what a thread of a GPU would do) and by vectors, beside loops as a textbook has them.
#include <algorithm>
#include <cmath>
#include <crispnas/kernels/backward.hpp>
#include <crispnas/kernels/preprocess_passes.hpp>  // compiles without LibTorch, too
#include <crispnas/kernels/statistics.hpp>
#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <span>
#include <vector>

#include "doctest.hpp"

#if __has_include(<ATen/ATen.h>)
#error "this test is to be compiled without LibTorch"
#endif

namespace kernels = crispnas::kernels;
using kernels::source;

namespace {

constexpr int batch = 5, channels = 6, partial = 2, seen = channels / partial, height = 4, width = 5;
constexpr int plane = height * width;
constexpr std::size_t image_size = std::size_t{channels} * plane, batch_size = batch * image_size;

/// Memory as vectors of the processor ask for it.
template <class T>
struct aligned {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};
  aligned() = default;
  template <class U>
  aligned(const aligned<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, alignment); }
  bool operator==(const aligned&) const = default;
};
using values = std::vector<double, aligned<double>>;

values normal(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> draw;
  values v(n);
  for (auto& x : v) x = draw(random);
  return v;
}

const values images = normal(batch_size, 1);         // [batch, channels, height, width]
const values node_gradient = normal(batch_size, 2);  // of the same shape
// dil_conv_3x3, sep_conv_3x3 (two convolutions), max_pool_3x3, avg_pool_3x3, skip_connect
constexpr std::size_t convolutions = 3, ops = 5;
const values depthwise = normal(convolutions * seen * 9, 3);     // [convolutions, seen, 3, 3]
const values pointwise = normal(convolutions * seen * seen, 4);  // [convolutions, seen, seen]
const values op_weights{0.2, 0.3, 0.1, 0.15, 0.25};
constexpr double edge_weight = 0.7;

/// Where value i of image n lies in [blocks, channels, height, width, lanes].
std::size_t blocked_at(int n, std::size_t i, int lanes) {
  return (std::size_t(n / lanes) * image_size + i) * std::size_t(lanes) + std::size_t(n % lanes);
}

/// [batch, channels, height, width] <-> [blocks, channels, height, width, lanes]
values blocked(const values& v, int lanes) {
  const int blocks = (batch + lanes - 1) / lanes;
  values out(std::size_t(blocks) * image_size * std::size_t(lanes));
  for (int n = 0; n < batch; ++n) {
    for (std::size_t i = 0; i < image_size; ++i)
      out[blocked_at(n, i, lanes)] = v[std::size_t(n) * image_size + i];
  }
  return out;
}
values from_blocked(const values& v, int lanes) {
  values out(batch_size);
  for (int n = 0; n < batch; ++n) {
    for (std::size_t i = 0; i < image_size; ++i)
      out[std::size_t(n) * image_size + i] = v[blocked_at(n, i, lanes)];
  }
  return out;
}

struct results {
  values node, input_gradient, op_gradients, edge_gradient, weight_gradients;
};

template <class Body, class S>
void run(const kernels::state_job<double>& job) {
  for (std::int64_t b = 0; b < job.blocks; ++b) Body::template run<S>(job, b);
}

/// One edge with all ops, forward and backward, K = 2.
template <class S>
results by_passes() {
  kernels::state_job<double> job;
  job.lanes = S::lanes;
  job.batch = batch;
  job.blocks = (batch + S::lanes - 1) / S::lanes;
  job.channels = channels;
  job.partial = partial;
  job.seen = seen;
  job.height = job.out_height = height;
  job.width = job.out_width = width;
  job.stride = 1;
  job.padding = 2;
  job.depthwise = job.maximum = job.average = true;
  const auto blocks = static_cast<std::size_t>(job.blocks);
  const std::size_t planes = blocks * seen * plane * S::lanes;

  values turned(depthwise.size());
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = depthwise[i / 9 * 9 + 8 - i % 9];
  for (int i = 0; i < int(convolutions); ++i) {
    kernels::conv_unit<double> unit;
    unit.kernel = 3;
    unit.dilation = i == 0 ? 2 : 1;
    unit.last = i != 1;
    unit.parent = i == 2 ? 1 : -1;
    unit.channels = seen;
    unit.pointwise_size = std::int64_t{seen} * seen;
    unit.depthwise_size = std::int64_t{seen} * 9;
    unit.depthwise = depthwise.data() + i * unit.depthwise_size;
    unit.turned = turned.data() + i * unit.depthwise_size;
    unit.pointwise = pointwise.data() + i * unit.pointwise_size;
    unit.z = std::int64_t(planes) * i;
    unit.norm = unit.slot = i;
    unit.gradients = job.weight_sums_size;
    job.weight_sums_size += unit.weights_size();
    job.units.push_back(unit);
  }
  job.slots = 5;
  job.maximum_slot = 3;
  job.average_slot = 4;
  for (int slot = 0; slot < job.slots; ++slot) job.norms.push_back({slot, true});
  job.mean.resize(std::size_t{5} * seen);
  job.scale.resize(std::size_t{5} * seen);
  job.terms = {{source::unit, 0, 0, 0},
               {source::unit, 1, 2, 2},
               {source::maximum, 2, -1, 3},
               {source::average, 3, -1, 4},
               {source::identity, 4, -1, -1}};
  job.op_weights.assign(op_weights.begin(), op_weights.end());
  kernels::job_edge<double> edge;
  edge.weight = edge_weight;
  edge.terms = ops;
  edge.first = true;
  job.edge_sums_size = (1 + ops) * seen + 1;

  const values x = blocked(images, S::lanes), gradient = blocked(node_gradient, S::lanes);
  values z(convolutions * planes), pooled(2 * planes), node(partial * planes), dx(partial * planes),
      dy(planes), sums(blocks * std::size_t(job.slots) * seen * 2),
      edge_sums(blocks * std::size_t(job.edge_sums_size)),
      weight_sums(blocks * std::size_t(job.weight_sums_size)), unit_sums(blocks * convolutions * seen * 2);
  edge.out = node.data();
  edge.gradient = gradient.data();
  job.edges = {edge};
  job.x = x.data();
  job.z = z.data();
  job.pooled = pooled.data();
  job.dx = dx.data();
  job.dy = dy.data();
  job.sums = sums.data();
  job.edge_sums = edge_sums.data();
  job.weight_sums = weight_sums.data();
  job.unit_sums = unit_sums.data();

  const std::vector<kernels::running_statistics<double>> none(5);
  run<kernels::forward_first, S>(job);
  kernels::complete_norms<double>(job, none, [](int slot) { return slot == 1; });
  run<kernels::forward_second, S>(job);
  kernels::complete_norms<double>(job, none, [](int slot) { return slot != 1; });
  run<kernels::forward_mix, S>(job);
  results got;
  got.op_gradients.resize(ops);
  got.edge_gradient.resize(1);
  run<kernels::backward_sums, S>(job);
  kernels::complete_terms(job, got.op_gradients.data(), ops, got.edge_gradient.data());
  run<kernels::backward_last, S>(job);
  kernels::complete_units(job);
  run<kernels::backward_first, S>(job);
  got.node = from_blocked(node, S::lanes);
  got.input_gradient = from_blocked(dx, S::lanes);
  for (std::int64_t c = 0; c < job.weight_sums_size; ++c)
    got.weight_gradients.push_back(
        kernels::block_sum(weight_sums.data(), job.blocks, job.weight_sums_size, c));
  return got;
}

/// The node as the papers write it; its gradients by central differences of sum(node * node_gradient).
struct textbook {
  values x = images, dw = depthwise, pw = pointwise, op = op_weights, edge{edge_weight};

  static std::size_t at(int c, int n, int y, int xx) {  // of [seen, batch, height, width]
    return ((std::size_t(c) * batch + std::size_t(n)) * height + std::size_t(y)) * width + std::size_t(xx);
  }
  static std::size_t image(int n, int c, int pixel) {
    return (std::size_t(n) * channels + std::size_t(c)) * plane + std::size_t(pixel);
  }
  /// f(channel, image, row, column) for all of [seen, batch, height, width].
  template <class F>
  static values of_pixels(const F& f) {
    values out(std::size_t{seen} * batch * plane);
    for (int c = 0; c < seen; ++c) {
      for (int n = 0; n < batch; ++n) {
        for (int p = 0; p < plane; ++p) out[at(c, n, p / width, p % width)] = f(c, n, p / width, p % width);
      }
    }
    return out;
  }
  /// f(value) of the pixels of a 3x3 window that lie in the image.
  template <class F>
  static void window(const values& in, int c, int n, int y, int xx, int dilation, const F& f) {
    for (int i = 0; i < 9; ++i) {
      const int row = y + dilation * (i / 3 - 1), column = xx + dilation * (i % 3 - 1);
      if (row >= 0 && row < height && column >= 0 && column < width) f(in[at(c, n, row, column)], i);
    }
  }
  /// ReLU, depthwise, pointwise, batch norm.
  values half(const values& in, int unit, int dilation) const {
    const values u = of_pixels([&](int c, int n, int y, int xx) {
      double sum = 0;
      window(in, c, n, y, xx, dilation, [&](double v, int tap) {
        sum += dw[(std::size_t(unit) * seen + std::size_t(c)) * 9 + std::size_t(tap)] * std::max(v, 0.0);
      });
      return sum;
    });
    return normalized(of_pixels([&](int j, int n, int y, int xx) {
      double sum = 0;
      for (int c = 0; c < seen; ++c)
        sum += pw[(std::size_t(unit) * seen + std::size_t(j)) * seen + std::size_t(c)] * u[at(c, n, y, xx)];
      return sum;
    }));
  }
  static values normalized(values v) {
    constexpr std::ptrdiff_t size = std::ptrdiff_t{batch} * plane;
    for (auto channel = v.begin(); channel != v.end(); channel += size) {
      const auto end = channel + size;
      double mean = 0, variance = 0;
      for (auto p = channel; p != end; ++p) mean += *p / size;
      for (auto p = channel; p != end; ++p) variance += (*p - mean) * (*p - mean) / size;
      for (auto p = channel; p != end; ++p) *p = (*p - mean) / std::sqrt(variance + 1e-5);
    }
    return v;
  }
  values node() const {
    const values in = of_pixels([&](int c, int n, int y, int xx) { return x[image(n, c, y * width + xx)]; });
    const values largest = of_pixels([&](int c, int n, int y, int xx) {
      double m = -1e300;
      window(in, c, n, y, xx, 1, [&](double v, int) { m = std::max(m, v); });
      return m;
    });
    const values average = of_pixels([&](int c, int n, int y, int xx) {
      double sum = 0, count = 0;
      window(in, c, n, y, xx, 1, [&](double v, int) { sum += v, ++count; });
      return sum / count;
    });
    const values of_ops[ops] = {half(in, 0, 2), half(half(in, 1, 1), 2, 1), normalized(largest),
                                normalized(average), in};
    values out(batch_size);
    for (int n = 0; n < batch; ++n) {
      for (int j = 0; j < seen; ++j) {
        for (int p = 0; p < plane; ++p) {
          double mixed = 0;
          for (std::size_t o = 0; o < ops; ++o) mixed += op[o] * of_ops[o][at(j, n, p / width, p % width)];
          out[image(n, 2 * j, p)] = edge[0] * mixed;  // the shuffle
          out[image(n, 2 * j + 1, p)] = edge[0] * x[image(n, seen + j, p)];
        }
      }
    }
    return out;
  }
  values gradient(values textbook::*of) {
    values all((this->*of).size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      double& value = (this->*of)[i];
      const double before = value, step = 1e-5;
      double sums[2]{};
      for (int side : {0, 1}) {
        value = before + (side ? step : -step);
        const values out = node();
        for (std::size_t k = 0; k < out.size(); ++k) sums[side] += out[k] * node_gradient[k];
      }
      value = before;
      all[i] = (sums[1] - sums[0]) / (2 * step);
    }
    return all;
  }
};

void check_same(const values& got, const values& wanted, double tolerance) {
  REQUIRE(got.size() == wanted.size());
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    REQUIRE(std::isfinite(got[i]));
    error = std::max(error, std::abs(got[i] - wanted[i]));
  }
  CHECK(largest > 0);
  CHECK(error <= tolerance * largest);
}

}  // namespace

TEST_CASE("a state's passes on plain memory, one image at a time, are what a textbook computes") {
  const results got = by_passes<kernels::single<double>>();
  textbook book;
  check_same(got.node, book.node(), 1e-13);
  constexpr double differences = 1e-7;  // of central differences
  check_same(got.input_gradient, book.gradient(&textbook::x), differences);
  check_same(got.op_gradients, book.gradient(&textbook::op), differences);
  check_same(got.edge_gradient, book.gradient(&textbook::edge), differences);
  const values of_pointwise = book.gradient(&textbook::pw), of_depthwise = book.gradient(&textbook::dw);
  values weights;  // of each convolution, one after the other
  for (std::size_t i = 0; i < convolutions; ++i) {
    const auto take = [&](const values& from, std::size_t size) {
      weights.insert(weights.end(), from.begin() + std::ptrdiff_t(i * size),
                     from.begin() + std::ptrdiff_t((i + 1) * size));
    };
    take(of_pointwise, std::size_t{seen} * seen);
    take(of_depthwise, std::size_t{seen} * 9);
  }
  check_same(got.weight_gradients, weights, differences);
}

TEST_CASE("vectors of images compute what single images do") {
  const results wanted = by_passes<kernels::single<double>>();
  const auto check = [&](const results& got) {
    check_same(got.node, wanted.node, 1e-13);
    check_same(got.input_gradient, wanted.input_gradient, 1e-12);
    check_same(got.op_gradients, wanted.op_gradients, 1e-12);
    check_same(got.edge_gradient, wanted.edge_gradient, 1e-12);
    check_same(got.weight_gradients, wanted.weight_gradients, 1e-12);
  };
  check(by_passes<kernels::simd<double, 16>>());
  check(by_passes<kernels::simd<double, 32>>());
  check(by_passes<kernels::simd<double, 64>>());
}
