// The preprocessing of a cell's inputs on blocked tensors: ReLU, 1x1 convolution, batch norm; or, for an input that is twice as
// large, a factorized reduction (two 1x1 convolutions of stride 2, the second one pixel further). The input is a list of
// tensors that stand for their concatenation, so the nodes of the previous cell are never copied together.
#pragma once

#include <crispnas/kernels/separate.hpp>

#include <algorithm>
#include <utility>

#include <crispnas/kernels/backward.hpp>
#include <crispnas/kernels/layout.hpp>
#include <crispnas/kernels/statistics.hpp>
#include <crispnas/kernels/workspace.hpp>

namespace crispnas::kernels {

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
  int lanes = 1, in_channels = 0, channels = 0, height = 0, width = 0, stride = 1, out_height = 0, out_width = 0;
  int half = 0;  ///< output channels of the first convolution
  std::vector<source> sources;
  const T* weights[2]{};      ///< [half, in_channels], [channels - half, in_channels]
  bool batch_norm = true;     ///< statistics of this batch
  std::vector<T> mean, scale;
  std::vector<affine<T>> gradient;  ///< of z from that of the output and the output itself
  T* out = nullptr;           ///< [blocks, channels, out_h, out_w, lanes]
  const T* dout = nullptr;
  double* sums = nullptr;     ///< [blocks, channels, 2]
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
    return std::int64_t{p / out_width * 2 + grid} * width + p % out_width * 2 + grid;
  }
};

namespace detail {

/// Input channels are handled in groups that stay in the nearest cache.
inline constexpr int group_size = 16;

/// max(x, 0) of n pixels of some channels of a source, side by side.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void gather_rectified(const preprocess_job<T>& job, const T* from, int channels, int n, T* to) {
  constexpr int L = S::lanes;
  const typename S::vec zero{};
  const std::ptrdiff_t stride = std::ptrdiff_t{job.stride} * L;
  for (int c = 0; c < channels; ++c, from += job.in_plane(), to += n * L) {
    for (int x = 0; x < n; ++x) {
      const auto& v = S::at(from + x * stride);
      S::at(to + x * L) = v > zero ? v : zero;
    }
  }
}

/// z, and its moments.
struct preprocess_product {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* in = memory.take<T>(std::int64_t{group_size} * job.run() * L);
    T* sums = memory.zeros<T>(std::int64_t{2} * job.channels * L);
    T* out = job.out + block * job.channels * job.out_plane();
    const int pixels = job.out_height * job.out_width;
    for (int p = 0; p < pixels; p += job.run()) {
      const int n = std::min(job.run(), pixels - p);
      const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
      for (int grid = 0; grid < job.grids(); ++grid) {
        T* z = out + job.first_channel(grid) * job.out_plane() + std::ptrdiff_t{p} * L;
        const int count = job.channel_count(grid);
        int column = 0;
        for (const auto& source : job.sources) {
          for (int c = 0; c < source.channels; c += group_size) {
            const int group = std::min(group_size, source.channels - c);
            gather_rectified<S>(job, source.pixels(job, block, c, grid, p), group, n, in);
            const matrix<T> w{job.weights[grid] + column, job.in_channels, 1};
            if (column == 0) {
              pointwise<S, false>(w, count, group, in, step, z, job.out_plane(), n);
            } else {
              pointwise<S, true>(w, count, group, in, step, z, job.out_plane(), n);
            }
            column += group;
          }
        }
        add_moments<S>(count, z, job.out_plane(), sums + job.first_channel(grid) * 2 * L, n);
      }
    }
    const int valid = job.valid_lanes(block);
    for (int i = 0; i < 2 * job.channels; ++i) job.sums[block * 2 * job.channels + i] = lane_sum(sums + i * L, valid);
  }
};

struct preprocess_normalize {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    T* out = job.out + block * job.channels * job.out_plane();
    for (int c = 0; c < job.channels; ++c) {
      const T mean = job.mean[static_cast<std::size_t>(c)];
      const T scale = job.scale[static_cast<std::size_t>(c)];
      for (std::int64_t i = 0; i < job.out_plane(); i += S::lanes, out += S::lanes) S::at(out) = (S::at(out) - mean) * scale;
    }
  }
};

struct preprocess_sums {
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void run(const preprocess_job<T>& job, std::int64_t block) {
    constexpr int L = S::lanes;
    scratch& memory = scratch::of_this_thread();
    T* sums = memory.take<T>(2 * L);
    const int valid = job.valid_lanes(block);
    for (int c = 0; c < job.channels; ++c) {
      const std::int64_t at = (block * job.channels + c) * job.out_plane();
      std::memset(static_cast<void*>(sums), 0, 2 * L * sizeof(T));
      for (int y = 0; y < job.out_height; ++y) {
        const std::int64_t row = at + std::int64_t{y} * job.out_width * L;
        add_sum<S>(job.dout + row, sums, job.out_width);
        add_product<S>(job.dout + row, job.out + row, sums + L, job.out_width);
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
    if (job.stride == 2) {
      for (const auto& source : job.sources) {
        const std::int64_t size = source.channels * job.in_plane();
        std::memset(static_cast<void*>(source.dx + block * size), 0, static_cast<std::size_t>(size) * sizeof(T));
      }
    }
    for (int p = 0; p < pixels; p += job.run()) {
      const int n = std::min(job.run(), pixels - p);
      const std::ptrdiff_t step = std::ptrdiff_t{n} * L;
      for (int c = 0; c < job.channels; ++c) {
        const std::int64_t at = (block * job.channels + c) * job.out_plane() + std::int64_t{p} * L;
        affine_row<S>(job.gradient[static_cast<std::size_t>(c)], job.dout + at, job.out + at, dz + c * step, n);
      }
      for (int grid = 0; grid < job.grids(); ++grid) {
        const int first = job.first_channel(grid);
        const int count = job.channel_count(grid);
        int column = 0;
        for (const auto& source : job.sources) {
          for (int c = 0; c < source.channels; c += group_size) {
            const int group = std::min(group_size, source.channels - c);
            gather_rectified<S>(job, source.pixels(job, block, c, grid, p), group, n, in);
            outer<S>(count, group, dz + first * step, step, in, step,
                     sums + (std::ptrdiff_t{first} * job.in_channels + column) * L, std::ptrdiff_t{job.in_channels} * L, n);
            pointwise<S, false>(matrix<T>{job.weights[grid] + column, 1, job.in_channels}, group, count, dz + first * step,
                                step, din, step, n);
            scatter<S>(job, source.dx + source.offset(job, block, c, grid, p), group, n, in, din);
            column += group;
          }
        }
      }
    }
    const int valid = job.valid_lanes(block);
    const std::int64_t size = std::int64_t{job.channels} * job.in_channels;
    for (std::int64_t i = 0; i < size; ++i) job.weight_sums[block * size + i] = lane_sum(sums + i * L, valid);
  }

  /// Writes the input gradient where the ReLU was open; grids do not overlap.
  template <class S, class T = typename S::scalar>
  static CRISPNAS_INLINE void scatter(const preprocess_job<T>& job, T* to, int channels, int n, const T* in, const T* din) {
    constexpr int L = S::lanes;
    const typename S::vec zero{};
    const std::ptrdiff_t stride = std::ptrdiff_t{job.stride} * L;
    for (int c = 0; c < channels; ++c, to += job.in_plane(), in += n * L, din += n * L) {
      for (int x = 0; x < n; ++x) S::at(to + x * stride) = S::at(in + x * L) > zero ? S::at(din + x * L) : zero;
    }
  }
};

struct preprocess_call {
  norm_state norm;
  norm_mode mode;
  std::int64_t batch;
  std::size_t sources;
};

template <class T>
struct preprocess_function : torch::autograd::Function<preprocess_function<T>> {
  // inputs: sources..., one weight (stride 1) or two (stride 2)
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs, const std::shared_ptr<preprocess_call>& call) {
    variable_list held;
    for (const auto& t : inputs) held.push_back(t.contiguous());
    preprocess_job<T> job = geometry(held, *call);
    const auto channels = static_cast<std::size_t>(job.channels);
    job.mean.assign(channels, T(0));
    job.scale.assign(channels, T(1));
    const at::Tensor out = workspace::of_process().take({job.blocks, job.channels, job.out_height, job.out_width, job.lanes}, held[0].options());
    job.out = out.data_ptr<T>();
    std::vector<double> sums(static_cast<std::size_t>(job.blocks) * channels * 2);
    job.sums = sums.data();
    for_blocks<preprocess_product, T>(job, job.blocks);
    statistics(job, *call);
    for_blocks<preprocess_normalize, T>(job, job.blocks);
    held.push_back(out);
    ctx->save_for_backward(std::move(held));
    ctx->saved_data["call"] = capsule<std::shared_ptr<preprocess_call>>::wrap(call);
    ctx->saved_data["scale"] = capsule<std::vector<T>>::wrap(job.scale);
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& given) {
    variable_list held = ctx->get_saved_variables();
    const at::Tensor out = held.back();
    held.pop_back();
    const preprocess_call& call = *capsule<std::shared_ptr<preprocess_call>>::unwrap(ctx->saved_data["call"]);
    preprocess_job<T> job = geometry(held, call);
    job.scale = capsule<std::vector<T>>::unwrap(ctx->saved_data["scale"]);
    const at::Tensor dout = given[0].contiguous();
    job.out = out.data_ptr<T>();
    job.dout = dout.const_data_ptr<T>();
    variable_list gradients;
    for (std::size_t i = 0; i < held.size(); ++i) gradients.push_back(workspace_like(held[i]));
    for (std::size_t i = 0; i < call.sources; ++i) job.sources[i].dx = gradients[i].template data_ptr<T>();

    const auto channels = static_cast<std::size_t>(job.channels);
    std::vector<double> sums(static_cast<std::size_t>(job.blocks) * channels * 2);
    job.sums = sums.data();
    const double count = static_cast<double>(job.batch * job.out_height * job.out_width);
    if (job.batch_norm) for_blocks<preprocess_sums, T>(job, job.blocks);
    for (std::size_t c = 0; c < channels; ++c) {
      const auto column = static_cast<std::int64_t>(2 * c);
      const double s0 = block_sum(job.sums, job.blocks, 2 * job.channels, column);
      const double s1 = block_sum(job.sums, job.blocks, 2 * job.channels, column + 1);
      affine<T> k = norm_gradient<T>(job.batch_norm, 1, 0, 1, s0, s1, count);  // the output is already normalized
      const T scale = job.scale[c];
      job.gradient.push_back({k.a * scale, k.b * scale, k.c * scale});
    }
    std::vector<double> weight_sums(static_cast<std::size_t>(job.blocks * job.channels) *
                                    static_cast<std::size_t>(job.in_channels));
    job.weight_sums = weight_sums.data();
    for_blocks<preprocess_backward, T>(job, job.blocks);
    std::int64_t column = 0;
    const std::int64_t size = std::int64_t{job.channels} * job.in_channels;
    for (std::size_t i = call.sources; i < held.size(); ++i) {
      T* to = gradients[i].template data_ptr<T>();
      for (std::int64_t c = 0; c < gradients[i].numel(); ++c) {
        to[c] = static_cast<T>(block_sum(job.weight_sums, job.blocks, size, column++));
      }
    }
    gradients = once_differentiable(std::move(gradients));
    gradients.emplace_back();  // of `call`
    return gradients;
  }

 private:
  static void expect(bool holds, const char* message) {
    if (!holds) throw error(std::string("crispnas::kernels::preprocess: ") + message);
  }

  static preprocess_job<T> geometry(const variable_list& held, const preprocess_call& call) {
    preprocess_job<T> job;
    const at::Tensor& x = held[0];
    job.lanes = lanes<T>();
    job.batch = call.batch;
    job.blocks = x.size(0);
    job.height = static_cast<int>(x.size(2));
    job.width = static_cast<int>(x.size(3));
    for (std::size_t i = 0; i < call.sources; ++i) {
      const at::Tensor& t = held[i];
      expect(t.dim() == 5 && t.size(4) == job.lanes && t.size(0) == (call.batch + job.lanes - 1) / job.lanes &&
                 t.size(2) == job.height && t.size(3) == job.width && t.scalar_type() == x.scalar_type(),
             "the inputs are not blocked tensors of this batch and of one size: make them with to_blocked.");
      job.in_channels += static_cast<int>(t.size(1));
      job.sources.push_back({t.const_data_ptr<T>(), nullptr, static_cast<int>(t.size(1))});
    }
    job.stride = static_cast<int>(held.size() - call.sources);
    expect(job.stride == 1 || (job.height % 2 == 0 && job.width % 2 == 0),
           "a factorized reduction needs even height and width.");
    for (std::size_t i = call.sources; i < held.size(); ++i) {
      expect(held[i].numel() == held[i].size(0) * job.in_channels && held[i].scalar_type() == x.scalar_type(),
             "a weight is not [out, in, 1, 1] of the inputs' type.");
      job.weights[i - call.sources] = held[i].const_data_ptr<T>();
      job.channels += static_cast<int>(held[i].size(0));
    }
    job.half = static_cast<int>(held[call.sources].size(0));
    job.out_height = job.height / job.stride;
    job.out_width = job.width / job.stride;
    job.batch_norm = call.mode.training;
    return job;
  }

  static void statistics(preprocess_job<T>& job, const preprocess_call& call) {
    const double count = static_cast<double>(job.batch * job.out_height * job.out_width);
    expect(!call.mode.training || count > 1, "batch statistics need more than one value per channel.");
    expect(call.mode.training || call.norm.mean.defined(), "evaluation needs running statistics.");
    for (int c = 0; c < job.channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      double mean = 0;
      double variance = 0;
      if (call.mode.training) {
        mean = block_sum(job.sums, job.blocks, 2 * job.channels, 2 * c) / count;
        variance = std::max(0.0, block_sum(job.sums, job.blocks, 2 * job.channels, 2 * c + 1) / count - mean * mean);
        if (call.mode.update) move_running<T>(call.norm, c, mean, variance, count);
      } else {
        mean = static_cast<double>(call.norm.mean.template const_data_ptr<T>()[c]);
        variance = static_cast<double>(call.norm.variance.template const_data_ptr<T>()[c]);
      }
      job.mean[at] = static_cast<T>(mean);
      job.scale[at] = static_cast<T>(1 / std::sqrt(variance + norm_epsilon));
    }
  }
};

inline at::Tensor run_preprocess(std::vector<at::Tensor> inputs, std::size_t sources, const norm_state& norm,
                                 std::int64_t batch, norm_mode mode) {
  auto call = std::make_shared<preprocess_call>(preprocess_call{norm, mode, batch, sources});
  expect_real(inputs.at(0), 5);
  if (inputs[0].scalar_type() == at::kDouble) return preprocess_function<double>::apply(at::TensorList(inputs), call);
  return preprocess_function<float>::apply(at::TensorList(inputs), call);
}

}  // namespace detail

/// ReLU, 1x1 convolution, batch norm of the concatenation of `inputs`. weight: [out, in, 1, 1]. Returns [blocks, out, h, w, lanes].
/// First-order gradients of inputs and weight. Throws crispnas::error where sizes do not fit.
CRISPNAS_KERNELS_INLINE at::Tensor preprocess(std::vector<at::Tensor> inputs, const at::Tensor& weight, const norm_state& norm,
                             std::int64_t batch, norm_mode mode) {
  const std::size_t sources = inputs.size();
  inputs.push_back(weight);
  return detail::run_preprocess(std::move(inputs), sources, norm, batch, mode);
}

/// Factorized reduction of the concatenation of `inputs`: [.., h, w, ..] -> [blocks, out, h / 2, w / 2, lanes]. Weights:
/// conv_1 [out / 2, in, 1, 1] and conv_2 [out - out / 2, in, 1, 1].
CRISPNAS_KERNELS_INLINE at::Tensor reduce_inputs(std::vector<at::Tensor> inputs, const at::Tensor& conv_1, const at::Tensor& conv_2,
                                const norm_state& norm, std::int64_t batch, norm_mode mode) {
  const std::size_t sources = inputs.size();
  inputs.push_back(conv_1);
  inputs.push_back(conv_2);
  return detail::run_preprocess(std::move(inputs), sources, norm, batch, mode);
}

}  // namespace crispnas::kernels
