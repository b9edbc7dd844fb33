// The preprocessing of a cell's inputs on blocked tensors: ReLU, 1x1 convolution, batch norm; or, for an
// input that is twice as large, a factorized reduction (two 1x1 convolutions of stride 2, the second one
// pixel further). The input is a list of tensors that stand for their concatenation, so the nodes of the
// previous cell are never copied together.
#pragma once

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <crispnas/kernels/dispatch.hpp>
#include <crispnas/kernels/layout.hpp>
#include <crispnas/kernels/preprocess_passes.hpp>
#include <crispnas/kernels/separate.hpp>
#include <crispnas/kernels/statistics.hpp>
#include <crispnas/kernels/tables.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <utility>

namespace crispnas::kernels {

namespace detail {

struct preprocess_call {
  norm_state norm;
  norm_mode mode;
  std::int64_t batch;
  std::size_t sources;
};

template <class T>
struct preprocess_function : torch::autograd::Function<preprocess_function<T>> {
  // inputs: sources..., one weight (stride 1) or two (stride 2)
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                            const std::shared_ptr<preprocess_call>& call) {
    variable_list held;
    for (const auto& t : inputs) held.push_back(t.contiguous());
    preprocess_job<T> job = geometry(held, *call);
    const auto channels = static_cast<std::size_t>(job.channels);
    job.mean.assign(channels, T(0));
    job.scale.assign(channels, T(1));
    at::Tensor out = workspace::of_process().take(
        {job.blocks, job.channels, job.out_height, job.out_width, job.lanes}, held[0].options());
    job.out = out.data_ptr<T>();
    const at::Tensor sums =
        workspace::of_process().take({job.blocks * job.channels * 2}, held[0].options().dtype(at::kDouble));
    job.sums = sums.data_ptr<double>();
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
    job.wants_inputs = job.wants_weights = false;
    for (std::size_t i = 0; i < held.size(); ++i)
      (i < call.sources ? job.wants_inputs : job.wants_weights) |= ctx->needs_input_grad(i);
    variable_list gradients(held.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (i < call.sources ? job.wants_inputs : job.wants_weights) gradients[i] = workspace_like(held[i]);
    }
    for (std::size_t i = 0; i < call.sources && job.wants_inputs; ++i)
      job.sources[i].dx = gradients[i].template data_ptr<T>();

    const auto channels = static_cast<std::size_t>(job.channels);
    const at::Tensor sums =
        workspace::of_process().take({job.blocks * job.channels * 2}, held[0].options().dtype(at::kDouble));
    job.sums = sums.data_ptr<double>();
    const auto count = static_cast<double>(job.batch * job.out_height * job.out_width);
    if (job.batch_norm) for_blocks<preprocess_sums, T>(job, job.blocks);
    for (std::size_t c = 0; c < channels; ++c) {
      const auto column = static_cast<std::int64_t>(2 * c);
      const auto sum = [&](std::int64_t at) {  // running statistics have no part in a gradient
        return job.batch_norm ? block_sum(job.sums, job.blocks, 2 * job.channels, at) : 0.0;
      };
      const double s0 = sum(column);
      const double s1 = sum(column + 1);
      // The output is already normalized.
      const affine<T> k = norm_gradient<T>(job.batch_norm, 1, T(0), T(1), s0, s1, count);
      const T scale = job.scale[c];
      job.gradient.push_back({k.a * scale, k.b * scale, k.c * scale, 0});
    }
    const at::Tensor weight_sums =
        workspace::of_process().take({job.blocks * job.channels * job.in_channels}, sums.options());
    job.weight_sums = weight_sums.data_ptr<double>();
    for_blocks<preprocess_backward, T>(job, job.blocks);
    std::int64_t column = 0;
    const std::int64_t size = std::int64_t{job.channels} * job.in_channels;
    for (std::size_t i = call.sources; i < held.size() && job.wants_weights; ++i) {
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
      expect(t.dim() == 5 && t.size(4) == job.lanes &&
                 t.size(0) == (call.batch + job.lanes - 1) / job.lanes && t.size(2) == job.height &&
                 t.size(3) == job.width && t.scalar_type() == x.scalar_type(),
             "the inputs are not blocked tensors of this batch and of one size: make them with to_blocked.");
      const int channels = static_cast<int>(t.size(1));
      for (int c = 0; c < channels; c += group_size)
        job.groups.push_back({i, c, std::min(group_size, channels - c), job.in_channels + c});
      job.in_channels += channels;
      job.sources.push_back({t.const_data_ptr<T>(), nullptr, channels});
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
    const double pixels = static_cast<double>(job.out_height) * job.out_width;
    const double count = static_cast<double>(job.batch) * pixels;
    expect(!call.mode.training || count > 1, "batch statistics need more than one value per channel.");
    expect(call.mode.training || call.norm.mean.defined(), "evaluation needs running statistics.");
    expect(!call.norm.mean.defined() || fits(call.norm, job.channels, c10::CppTypeToScalarType<T>::value),
           "running statistics must be contiguous, [out], and of the inputs' type.");
    running_statistics<T> moved;
    if (call.mode.training && call.mode.update && call.norm.mean.defined())
      moved = {call.norm.mean.template data_ptr<T>(), call.norm.variance.template data_ptr<T>()};
    for (int c = 0; c < job.channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      moments norm;
      if (call.mode.training) {
        norm = batch_moments(job.sums, job.blocks, 2 * job.channels, 2 * c, count,
                             [&](std::int64_t b) { return job.valid_lanes(b) * pixels; });
        move_running(moved, c, norm, count);
      } else {
        norm.mean = static_cast<double>(call.norm.mean.template const_data_ptr<T>()[c]);
        norm.variance = static_cast<double>(call.norm.variance.template const_data_ptr<T>()[c]);
      }
      job.mean[at] = static_cast<T>(norm.mean);
      job.scale[at] = static_cast<T>(1 / std::sqrt(norm.variance + norm_epsilon));
    }
  }
};

inline at::Tensor run_preprocess(std::vector<at::Tensor> inputs, std::size_t sources, const norm_state& norm,
                                 std::int64_t batch, norm_mode mode) {
  auto call = std::make_shared<preprocess_call>(preprocess_call{norm, mode, batch, sources});
  expect_real(inputs.at(0), 5);
  if (inputs[0].scalar_type() == at::kDouble)
    return preprocess_function<double>::apply(at::TensorList(inputs), call);
  return preprocess_function<float>::apply(at::TensorList(inputs), call);
}

}  // namespace detail

/// ReLU, 1x1 convolution, batch norm of the concatenation of `inputs`. weight: [out, in, 1, 1]. Returns
/// [blocks, out, h, w, lanes]. First-order gradients of inputs and weight. Throws crispnas::error where sizes
/// do not fit.
CRISPNAS_KERNELS_INLINE at::Tensor preprocess(std::vector<at::Tensor> inputs, const at::Tensor& weight,
                                              const norm_state& norm, std::int64_t batch, norm_mode mode) {
  const std::size_t sources = inputs.size();
  inputs.push_back(weight);
  return detail::run_preprocess(std::move(inputs), sources, norm, batch, mode);
}

/// Factorized reduction of the concatenation of `inputs`: [.., h, w, ..] -> [blocks, out, h / 2, w / 2,
/// lanes]. Weights: conv_1 [out / 2, in, 1, 1] and conv_2 [out - out / 2, in, 1, 1].
CRISPNAS_KERNELS_INLINE at::Tensor reduce_inputs(std::vector<at::Tensor> inputs, const at::Tensor& conv_1,
                                                 const at::Tensor& conv_2, const norm_state& norm,
                                                 std::int64_t batch, norm_mode mode) {
  const std::size_t sources = inputs.size();
  inputs.push_back(conv_1);
  inputs.push_back(conv_2);
  return detail::run_preprocess(std::move(inputs), sources, norm, batch, mode);
}

}  // namespace crispnas::kernels
