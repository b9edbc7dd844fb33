// The passes over one block of images of a cell's preprocessing: product and moments, normalization; sums of
// gradients, gradients.
#pragma once

#include <algorithm>
#include <crispnas/kernels/backward.hpp>
#include <vector>

namespace crispnas::kernels {

/// Input channels are handled in groups that stay in the nearest cache.
inline constexpr int group_size = 16;

/// Channels [first, first + count) of one source; `column` counts over all sources.
struct input_group {
  std::size_t source = 0;
  int first = 0, count = 0, column = 0;
};

/// The preprocessing of one call in the form that kernels read.
template <class T>
struct preprocess_job {
  struct source {
    const T* x = nullptr;  // [blocks, channels, height, width, lanes]
    T* dx = nullptr;
    int channels = 0;
    /// Where channel c holds output pixel p of a sampling grid.
    std::int64_t offset(const preprocess_job& job, std::int64_t block, int c, int grid, int p) const {
      return (block * channels + c) * job.in_plane() + job.pixel(grid, p) * job.lanes;
    }
    const T* pixels(const preprocess_job& job, std::int64_t block, int c, int grid, int p) const {
      return x + offset(job, block, c, grid, p);
    }
  };
  std::int64_t batch = 0, blocks = 0;
  int lanes = 1, in_channels = 0, channels = 0, height = 0, width = 0, stride = 1, out_height = 0,
      out_width = 0;
  int half = 0;  ///< output channels of the first convolution
  std::vector<source> sources;
  std::vector<input_group> groups;
  const T* weights[2]{};                           ///< [half, in_channels], [channels - half, in_channels]
  bool batch_norm = true;                          ///< statistics of this batch
  bool wants_inputs = true, wants_weights = true;  ///< backward: which gradients are asked for
  std::vector<T> mean, scale;
  std::vector<affine<T>> gradient;  ///< of z from that of the output and the output itself
  T* out = nullptr;                 ///< [blocks, channels, out_h, out_w, lanes]
  const T* dout = nullptr;
  double* sums = nullptr;         ///< [blocks, channels, 2]
  double* weight_sums = nullptr;  ///< [blocks, channels, in_channels]

  std::int64_t in_plane() const { return std::int64_t{height} * width * lanes; }
  std::int64_t out_plane() const { return std::int64_t{out_height} * out_width * lanes; }
  int valid_lanes(std::int64_t block) const {
    return static_cast<int>(std::min<std::int64_t>(lanes, batch - block * lanes));
  }
  int grids() const { return stride; }
  /// Output pixels are handled in runs; a run does not cross a row at stride 2.
  int run() const { return stride == 2 ? out_width : std::min(32, out_height * out_width); }
  int first_channel(int grid) const { return grid == 0 ? 0 : half; }
  int channel_count(int grid) const { return grid == 0 ? half : channels - half; }
  /// Input pixel of output pixel p on a sampling grid.
  std::int64_t pixel(int grid, int p) const {
    if (stride == 1) return p;
    return (std::int64_t{p / out_width} * 2 + grid) * width + std::int64_t{p % out_width} * 2 + grid;
  }
};

namespace detail {

/// max(x, 0) of n pixels of some channels of a source, side by side.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void gather_rectified(const preprocess_job<T>& job, const T* from, int channels, int n,
                                      T* to) {
  constexpr int L = S::lanes;
  const std::ptrdiff_t stride = std::ptrdiff_t{job.stride} * L;
  for (int c = 0; c < channels; ++c, from += job.in_plane(), to += n * L) {
    for (int x = 0; x < n; ++x) put_rectified<S>(S::at(from + x * stride), to + x * L);
  }
}

/// z, and its moments.
struct preprocess_product {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* in = memory.take<T>(std::int64_t{group_size} * job.run() * L);
    // Summed here and not in place: planes a power of two apart compete for the same lines of the cache.
    T* z = memory.take<T>(std::int64_t{job.channels} * job.run() * L);
    auto* sums = memory.zeros<double>(std::int64_t{2} * job.channels * L);
    T* out = job.out + block * job.channels * job.out_plane();
    const int pixels = job.out_height * job.out_width;
    for (int p = 0; p < pixels; p += job.run()) {
      const int n = std::min(job.run(), pixels - p);
      const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
      for (int grid = 0; grid < job.grids(); ++grid) {
        const int count = job.channel_count(grid);
        for (const auto& group : job.groups) {
          gather_rectified<S>(job, job.sources[group.source].pixels(job, block, group.first, grid, p),
                              group.count, n, in);
          const matrix<T> w{job.weights[grid] + group.column, job.in_channels, 1};
          if (group.column == 0) {
            pointwise<S, false>(w, count, group.count, in, step, z, step, n);
          } else {
            pointwise<S, true>(w, count, group.count, in, step, z, step, n);
          }
        }
        T* const planes = out + job.first_channel(grid) * job.out_plane();
        for (int c = 0; c < count; ++c) {
          std::memcpy(static_cast<void*>(planes + c * job.out_plane() + std::ptrdiff_t{p} * L), z + c * step,
                      static_cast<std::size_t>(step) * sizeof(T));
        }
        if (job.batch_norm)
          add_moments<S>(count, z, step, planes, job.out_plane(), sums + job.first_channel(grid) * 2 * L, n);
      }
    }
    if (job.batch_norm) {
      gather_moments(job.channels, L, job.valid_lanes(block), pixels, out, job.out_plane(), sums,
                     job.sums + block * 2 * job.channels);
    }
  }
};

struct preprocess_normalize {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    T* out = job.out + block * job.channels * job.out_plane();
    for (int c = 0; c < job.channels; ++c) {
      const T mean = job.mean[static_cast<std::size_t>(c)];
      const T scale = job.scale[static_cast<std::size_t>(c)];
      for (std::int64_t i = 0; i < job.out_plane(); i += S::lanes, out += S::lanes)
        S::at(out) = (S::at(out) - mean) * scale;
    }
  }
};

struct preprocess_sums {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    auto* sums = memory.take<double>(std::int64_t{2} * L);
    const int valid = job.valid_lanes(block);
    for (int c = 0; c < job.channels; ++c) {
      const std::int64_t at = (block * job.channels + c) * job.out_plane();
      std::memset(static_cast<void*>(sums), 0, sizeof(double) * 2 * L);
      for (int y = 0; y < job.out_height; ++y) {
        const std::int64_t row = at + std::int64_t{y} * job.out_width * L;
        add_sum<S>(job.dout + row, sums, job.out_width);
        add_product<S>(job.dout + row, job.out + row, T(0), sums + L, job.out_width);
      }
      double* to = job.sums + (block * job.channels + c) * 2;
      to[0] = lane_sum(sums, valid);
      to[1] = lane_sum(sums + L, valid);
    }
  }
};

struct preprocess_backward {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* in = memory.take<T>(std::int64_t{group_size} * job.run() * L);
    T* din = memory.take<T>(std::int64_t{group_size} * job.run() * L);
    T* dz = memory.take<T>(std::int64_t{job.channels} * job.run() * L);
    T* sums = memory.zeros<T>(std::int64_t{job.channels} * job.in_channels * L);
    const int pixels = job.out_height * job.out_width;
    if (job.stride == 2 && job.wants_inputs) {
      for (const auto& source : job.sources) {
        const std::int64_t size = source.channels * job.in_plane();
        std::memset(static_cast<void*>(source.dx + block * size), 0,
                    static_cast<std::size_t>(size) * sizeof(T));
      }
    }
    for (int p = 0; p < pixels; p += job.run()) {
      const int n = std::min(job.run(), pixels - p);
      const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
      for (int c = 0; c < job.channels; ++c) {
        const std::int64_t at = (block * job.channels + c) * job.out_plane() + std::int64_t{p} * L;
        affine_row<S>(job.gradient[static_cast<std::size_t>(c)], job.dout + at, job.out + at, dz + c * step,
                      n);
      }
      for (int grid = 0; grid < job.grids(); ++grid) {
        const int first = job.first_channel(grid);
        const int count = job.channel_count(grid);
        for (const auto& group : job.groups) {
          const auto& source = job.sources[group.source];
          gather_rectified<S>(job, source.pixels(job, block, group.first, grid, p), group.count, n, in);
          if (job.wants_weights) {
            outer<S>(count, group.count, dz + first * step, step, in, step,
                     sums + (std::ptrdiff_t{first} * job.in_channels + group.column) * L,
                     std::ptrdiff_t{job.in_channels} * L, n);
          }
          if (job.wants_inputs) {
            pointwise<S, false>(matrix<T>{job.weights[grid] + group.column, 1, job.in_channels}, group.count,
                                count, dz + first * step, step, din, step, n);
            scatter<S>(job, source.dx + source.offset(job, block, group.first, grid, p), group.count, n, in,
                       din);
          }
        }
      }
    }
    if (!job.wants_weights) return;
    const int valid = job.valid_lanes(block);
    const std::int64_t size = std::int64_t{job.channels} * job.in_channels;
    for (std::int64_t i = 0; i < size; ++i) job.weight_sums[block * size + i] = lane_sum(sums + i * L, valid);
  }

  /// Writes the input gradient where the ReLU was open; grids do not overlap.
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void scatter(const preprocess_job<T>& job, T* to, int channels, int n, const T* in,
                                      const T* din) {
    constexpr int L = S::lanes;
    const typename S::vec zero{};
    const std::ptrdiff_t stride = std::ptrdiff_t{job.stride} * L;
    for (int c = 0; c < channels; ++c, to += job.in_plane(), in += n * L, din += n * L) {
      for (int x = 0; x < n; ++x)
        S::at(to + x * stride) = S::at(in + x * L) > zero ? S::at(din + x * L) : zero;
    }
  }
};

}  // namespace detail

}  // namespace crispnas::kernels
