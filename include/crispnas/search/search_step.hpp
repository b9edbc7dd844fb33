// One step of a search in the order that is asked for; and the step with a single level.
#pragma once

#include <torch/types.h>

#include <crispnas/search/bilevel.hpp>
#include <crispnas/search/search_order.hpp>
#include <crispnas/search/second_order.hpp>
#include <vector>

namespace crispnas {

/// One step with a single level: weights, alpha and beta learn from the same loss of the same batch, in one
/// pass. The weights' gradient is clipped, alpha and beta see the regularizer. No device synchronization.
inline step_result single_level_step(any_supernet& net, const step_losses& losses,
                                     const step_optimizers& optimizers, const labelled_batch& batch) {
  step_result result;
  net.train();
  std::vector<at::Tensor> all = detail::searched_parameters(optimizers);
  if (all.empty()) {
    weight_step(net, net.arch().fixed_weights(), optimizers.weights, optimizers.clip, batch, result);
    return result;
  }
  const auto searched = static_cast<std::ptrdiff_t>(all.size());
  const auto& weights = optimizers.weights.parameters();
  all.insert(all.end(), weights.begin(), weights.end());
  at::Tensor logits;
  const at::Tensor loss = architecture_loss(net, losses, batch, result, &logits);
  const auto gradients = detail::own_gradients(loss, all);
  const std::vector<at::Tensor> of_weights(gradients.begin() + searched, gradients.end());
  result.gradient_norm = clip_gradients(of_weights, optimizers.clip);
  detail::move_architecture(net, optimizers, {gradients.begin(), gradients.begin() + searched}, result);
  optimizers.weights.step(of_weights);
  result.weight_loss = result.arch_loss;
  result.correct = (logits.detach().argmax(1) == batch.labels).sum();
  return result;
}

/// Two batches as one.
inline labelled_batch joined(const labelled_batch& first, const labelled_batch& second) {
  return {at::cat({first.images, second.images}), at::cat({first.labels, second.labels})};
}

/// One step in the given order. With a single level both batches, joined, train everything.
inline step_result search_step(any_supernet& net, const step_losses& losses,
                               const step_optimizers& optimizers, const labelled_batch& train_batch,
                               const labelled_batch& arch_batch, search_order order) {
  const auto step = [&] {
    switch (order) {
      case search_order::second:
        return second_order_step(net, losses, optimizers, train_batch, arch_batch);
      case search_order::single_level:
        return single_level_step(net, losses, optimizers, joined(train_batch, arch_batch));
      case search_order::first:
        break;
    }
    return bilevel_step(net, losses, optimizers, train_batch, arch_batch);
  };
  step_result result = step();
  if (!optimizers.train_alpha && !optimizers.train_beta) {  // no loss has asked for them
    const at::NoGradGuard no_grad;
    result.terms = terms_at(net.arch(), losses);
  }
  return result;
}

}  // namespace crispnas
