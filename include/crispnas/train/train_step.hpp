// One step of training from scratch: loss with label smoothing and auxiliary head, clipped gradient, SGD.
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <crispnas/derived/derived_network.hpp>
#include <crispnas/search/bilevel.hpp>
#include <crispnas/search/optimizers.hpp>
#include <crispnas/train/autocast.hpp>
#include <crispnas/train/train_options.hpp>

namespace crispnas {

/// Cross entropy against targets of (1 - label_smoothing) for the label plus label_smoothing / classes for every class (Szegedy et al.,
/// 2016, as DARTS trains on ImageNet), of the logits plus auxiliary_weight times that of the auxiliary head. Scalar, in float32 at least.
inline at::Tensor training_loss(const derived_output& out, const at::Tensor& labels,
                                const train_options& options) {
  const auto loss = [&](const at::Tensor& logits) {
    const bool wide = logits.scalar_type() == at::kDouble;
    return at::cross_entropy_loss(wide ? logits : logits.to(at::kFloat), labels, {}, at::Reduction::Mean,
                                  -100, options.label_smoothing);
  };
  at::Tensor main = loss(out.logits);
  if (!out.auxiliary.defined() || options.auxiliary_weight == 0.0) return main;
  return main + options.auxiliary_weight * loss(out.auxiliary);
}

/// Scalars of a step, still on the device: reading one waits for it.
struct train_step_result {
  at::Tensor loss;           ///< of the logits and the auxiliary head together
  at::Tensor gradient_norm;  ///< before clipping
  at::Tensor correct;        ///< right answers
  std::int64_t images = 0;
};

namespace detail {

/// Gradients in the layout of their parameters: the fused update walks through memory.
inline std::vector<at::Tensor> gradients_like(const at::Tensor& loss,
                                              const std::vector<at::Tensor>& parameters) {
  auto gradients = own_gradients(loss, parameters);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].strides() != parameters[i].strides())
      gradients[i] = at::empty_like(parameters[i]).copy_(gradients[i]);
  }
  return gradients;
}

}  // namespace detail

/// One step on the parameters that `optimizer` holds. images: [batch, channels, h, w], normalized; labels: int64 [batch]; both on the
/// network's device. Reads nothing back from the device.
inline train_step_result train_step(any_derived_network& net, sgd& optimizer, const train_options& options,
                                    const labelled_batch& batch) {
  net.train();
  derived_output out;
  {
    const autocast_guard cast(options.numbers, batch.images.device());
    out = net.forward(batch.images);
  }
  const at::Tensor loss = training_loss(out, batch.labels, options);
  const auto gradients = detail::gradients_like(loss, optimizer.parameters());
  train_step_result result;
  result.gradient_norm = clip_gradients(gradients, options.clip);
  optimizer.step(gradients);
  result.loss = loss.detach();
  result.correct = (out.logits.detach().argmax(1) == batch.labels).sum();
  result.images = batch.labels.size(0);
  return result;
}

}  // namespace crispnas
