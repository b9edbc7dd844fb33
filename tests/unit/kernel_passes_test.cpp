// The passes know neither LibTorch nor how many images lie side by side: here they run on plain memory, by one image at a
// time (what a thread of a GPU would do) and by vectors, beside loops as a textbook has them.
#include <algorithm>
#include <cmath>
#include <crispnas/kernels/backward.hpp>
#include <crispnas/kernels/preprocess_passes.hpp>
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

const values images = normal(batch * channels * plane, 1);         // [batch, channels, height, width]
const values node_gradient = normal(batch * channels * plane, 2);  // of the same shape
const values depthwise = normal(seen * 9, 3);                      // [seen, 3, 3]
const values pointwise = normal(seen * seen, 4);                   // [seen, seen]
constexpr double op_weights[3] = {0.2, 0.3, 0.5},
                 edge_weight = 0.7;  // dil_conv_3x3, avg_pool_3x3, skip_connect

/// [batch, channels, height, width] <-> [blocks, channels, height, width, lanes]
values blocked(const values& v, int lanes) {
  const int blocks = (batch + lanes - 1) / lanes;
  values out(static_cast<std::size_t>(blocks * channels * plane * lanes));
  for (int n = 0; n < batch; ++n) {
    for (int i = 0; i < channels * plane; ++i)
      out[std::size_t((n / lanes * channels * plane + i) * lanes + n % lanes)] =
          v[std::size_t(n * channels * plane + i)];
  }
  return out;
}
values from_blocked(const values& v, int lanes) {
  values out(batch * channels * plane);
  for (int n = 0; n < batch; ++n) {
    for (int i = 0; i < channels * plane; ++i)
      out[std::size_t(n * channels * plane + i)] =
          v[std::size_t((n / lanes * channels * plane + i) * lanes + n % lanes)];
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

/// One edge with three ops, forward and backward, K = 2.
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
  job.depthwise = job.average = true;

  kernels::conv_unit<double> unit;
  unit.kernel = 3;
  unit.dilation = 2;
  unit.channels = seen;
  unit.depthwise = depthwise.data();
  values turned(depthwise.size());
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = depthwise[i / 9 * 9 + 8 - i % 9];
  unit.turned = turned.data();
  unit.pointwise = pointwise.data();
  unit.pointwise_size = seen * seen;
  unit.depthwise_size = seen * 9;
  job.units = {unit};
  job.slots = 2;
  job.average_slot = 1;
  job.norms = {{0, true}, {1, true}};
  job.mean.resize(2 * seen);
  job.scale.resize(2 * seen);
  job.terms = {{source::unit, 0, 0, 0}, {source::average, 1, -1, 1}, {source::identity, 2, -1, -1}};
  job.op_weights.assign(op_weights, op_weights + 3);
  kernels::job_edge<double> edge;
  edge.weight = edge_weight;
  edge.terms = 3;
  edge.first = true;
  job.edge_sums_size = 4 * seen + 1;
  job.weight_sums_size = unit.weights_size();

  const auto blocks = static_cast<std::size_t>(job.blocks);
  const std::size_t all = blocks * channels * plane * S::lanes;
  const values x = blocked(images, S::lanes), gradient = blocked(node_gradient, S::lanes);
  values z(all), pooled(all), node(all), dx(all), dy(all), sums(blocks * 2 * seen * 2),
      edge_sums(blocks * std::size_t(job.edge_sums_size)),
      weight_sums(blocks * std::size_t(job.weight_sums_size)), unit_sums(blocks * seen * 2);
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

  const std::vector<kernels::running_statistics<double>> none(2);
  run<kernels::forward_first, S>(job);
  kernels::complete_norms<double>(job, none, 0, job.slots);
  run<kernels::forward_mix, S>(job);
  results got;
  got.op_gradients.resize(3);
  got.edge_gradient.resize(1);
  run<kernels::backward_sums, S>(job);
  kernels::complete_terms(job, got.op_gradients.data(), 3, got.edge_gradient.data());
  run<kernels::backward_last, S>(job);
  got.node = from_blocked(node, S::lanes);
  got.input_gradient = from_blocked(dx, S::lanes);
  for (std::int64_t c = 0; c < job.weight_sums_size; ++c)
    got.weight_gradients.push_back(
        kernels::block_sum(weight_sums.data(), job.blocks, job.weight_sums_size, c));
  return got;
}

/// The node as the papers write it; its gradients by central differences of sum(node * node_gradient).
struct textbook {
  values x = images, dw = depthwise, pw = pointwise, ops{op_weights, op_weights + 3}, edge{edge_weight};

  double at(int n, int c, int y, int xx) const {
    const bool inside = y >= 0 && y < height && xx >= 0 && xx < width;
    return inside ? x[std::size_t(((n * channels + c) * height + y) * width + xx)] : 0;
  }
  values node() const {
    values dil(batch * seen * plane), avg(batch * seen * plane), out(batch * channels * plane);
    for (int n = 0; n < batch; ++n) {
      for (int y = 0; y < height; ++y) {
        for (int xx = 0; xx < width; ++xx) {
          double u[seen]{};
          for (int c = 0; c < seen; ++c) {
            double sum = 0;
            int count = 0;
            for (int i = 0; i < 9; ++i) {
              const int dy = i / 3 - 1, dx = i % 3 - 1;
              u[c] += dw[std::size_t(c * 9 + i)] * std::max(at(n, c, y + 2 * dy, xx + 2 * dx), 0.0);
              if (y + dy < 0 || y + dy >= height || xx + dx < 0 || xx + dx >= width) continue;
              sum += at(n, c, y + dy, xx + dx);
              ++count;
            }
            avg[std::size_t((c * batch + n) * plane + y * width + xx)] = sum / count;
          }
          for (int j = 0; j < seen; ++j) {
            double& z = dil[std::size_t((j * batch + n) * plane + y * width + xx)];
            for (int c = 0; c < seen; ++c) z += pw[std::size_t(j * seen + c)] * u[c];
          }
        }
      }
    }
    for (auto* v : {&dil, &avg}) normalize(*v);
    for (int n = 0; n < batch; ++n) {
      for (int j = 0; j < seen; ++j) {
        for (int p = 0; p < plane; ++p) {
          const auto from = std::size_t((j * batch + n) * plane + p);
          const auto image = [&](int c) { return std::size_t((n * channels + c) * plane + p); };
          const double mixed = ops[0] * dil[from] + ops[1] * avg[from] + ops[2] * x[image(j)];
          out[image(2 * j)] = edge[0] * mixed;  // the shuffle
          out[image(2 * j + 1)] = edge[0] * x[image(seen + j)];
        }
      }
    }
    return out;
  }
  static void normalize(values& v) {  // [seen, batch, plane]
    for (auto channel = v.begin(); channel != v.end(); channel += batch * plane) {
      double mean = 0, variance = 0;
      for (auto p = channel; p != channel + batch * plane; ++p) mean += *p / (batch * plane);
      for (auto p = channel; p != channel + batch * plane; ++p)
        variance += (*p - mean) * (*p - mean) / (batch * plane);
      for (auto p = channel; p != channel + batch * plane; ++p) *p = (*p - mean) / std::sqrt(variance + 1e-5);
    }
  }
  values gradient(values textbook::*of) {
    values all((this->*of).size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      double& value = (this->*of)[i];
      const double before = value, step = 1e-5;
      double sums[2];
      for (int side : {0, 1}) {
        value = before + (side ? step : -step);
        const values out = node();
        sums[side] = 0;
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
    error = std::max(error, std::abs(got[i] - wanted[i]));
  }
  CHECK(error <= tolerance * largest);
}

}  // namespace

TEST_CASE("a state's passes on plain memory, one image at a time, are what a textbook computes") {
  const results got = by_passes<kernels::single<double>>();
  textbook book;
  check_same(got.node, book.node(), 1e-13);
  constexpr double differences = 1e-7;  // of central differences
  check_same(got.input_gradient, book.gradient(&textbook::x), differences);
  check_same(got.op_gradients, book.gradient(&textbook::ops), differences);
  check_same(got.edge_gradient, book.gradient(&textbook::edge), differences);
  values weights = book.gradient(&textbook::pw);
  const values of_depthwise = book.gradient(&textbook::dw);
  weights.insert(weights.end(), of_depthwise.begin(), of_depthwise.end());
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
