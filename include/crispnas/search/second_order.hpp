// The second-order step: alpha and beta learn from the loss that the weights would have after a step of
// theirs,
//   d/da L_arch(w - xi (mu v + grad_w L_train + decay w), a)
//     = grad_a L_arch(w', a) - xi (grad_a L_train(w+, a) - grad_a L_train(w-, a)) / (2 eps),   w+- = w +- eps
//     grad_w' L_arch
// with eps = 0.01 / |grad_w' L_arch| (DARTS, equations 7 and 8; with the momentum of the published code).
#pragma once

#include <torch/types.h>

#include <crispnas/search/bilevel.hpp>
#include <vector>

namespace crispnas {

namespace detail {

/// Batch norm that does not count passes for a while, also when an exception ends it.
class unmoved_statistics {
 public:
  explicit unmoved_statistics(any_supernet& net) {
    for (const auto& module : net.modules(false)) {
      auto* norm = dynamic_cast<nn::batch_norm*>(module.get());
      if (norm != nullptr && norm->updates_statistics()) norms_.push_back(norm);
    }
    for (auto* norm : norms_) norm->update_statistics(false);
  }
  unmoved_statistics(const unmoved_statistics&) = delete;
  unmoved_statistics& operator=(const unmoved_statistics&) = delete;
  ~unmoved_statistics() {
    for (auto* norm : norms_) norm->update_statistics(true);
  }

 private:
  std::vector<nn::batch_norm*> norms_;
};

/// Weights that are put back bit for bit, also when an exception ends it.
class returning_weights {
 public:
  explicit returning_weights(const std::vector<at::Tensor>& weights) : weights_(weights) {
    for (const auto& w : weights_) values_.push_back(w.detach().clone());
  }
  returning_weights(const returning_weights&) = delete;
  returning_weights& operator=(const returning_weights&) = delete;
  ~returning_weights() { put(nullptr, {}); }

  /// weights = values + factor * direction.
  void put(const std::vector<at::Tensor>* direction, const at::Tensor& factor) {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      at::Tensor w = weights_[i];
      w.copy_(direction == nullptr ? values_[i] : values_[i] + (*direction)[i] * factor);
    }
  }

 private:
  std::vector<at::Tensor> weights_;
  std::vector<at::Tensor> values_;
};

}  // namespace detail

/// How far the finite difference reaches on either side, along the direction: DARTS's 0.01.
inline constexpr double published_radius = 0.01;

/// The gradients of the unrolled loss, of alpha and then of beta as far as they do not wait. xi is the rate
/// of the weights. The regularizer enters as it is, since it does not see the weights; w' is not clipped, as
/// in the published code. Weights, their velocities and the statistics of batch norm are left bit for bit as
/// they were. Four passes; no gradient of a gradient is asked.
inline std::vector<at::Tensor> unrolled_gradients(any_supernet& net, const step_losses& losses,
                                                  const step_optimizers& optimizers,
                                                  const labelled_batch& train_batch,
                                                  const labelled_batch& arch_batch, step_result& result,
                                                  double radius = published_radius) {
  constexpr double least = 1e-12;  // a gradient of zero has no direction: both differences are then the same
  const detail::unmoved_statistics still(net);
  sgd& optimizer = optimizers.weights;
  const std::vector<at::Tensor>& weights = optimizer.parameters();
  const std::vector<at::Tensor> searched = detail::searched_parameters(optimizers);
  const sgd_options& rates = optimizer.options();
  detail::returning_weights values(weights);

  // w', one step of SGD ahead.
  const at::Tensor train_loss =
      at::cross_entropy_loss(net.forward(train_batch.images, net.arch().fixed_weights()), train_batch.labels);
  std::vector<at::Tensor> ahead = detail::own_gradients(train_loss, weights);
  {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      ahead[i] = optimizer.velocity()[i] * rates.momentum + ahead[i] + weights[i] * rates.weight_decay;
    }
  }
  values.put(&ahead, at::scalar_tensor(-rates.rate, weights.front().options().requires_grad(false)));

  // The architecture loss there.
  std::vector<at::Tensor> all = searched;
  all.insert(all.end(), weights.begin(), weights.end());
  auto gradients = detail::own_gradients(architecture_loss(net, losses, arch_batch, result), all);
  const auto middle = gradients.begin() + static_cast<std::ptrdiff_t>(searched.size());
  const std::vector<at::Tensor> direction(middle, gradients.end());
  gradients.erase(middle, gradients.end());

  // What the step costs alpha and beta: a Hessian times that direction, by a central difference.
  at::Tensor eps;
  {
    at::NoGradGuard no_grad;
    eps = radius / at::stack(at::_foreach_norm(direction, 2)).norm().clamp_min(least);
  }
  const auto at_weights = [&](const at::Tensor& factor) {
    values.put(&direction, factor);
    const detail::frozen only_searched(weights);
    return detail::own_gradients(at::cross_entropy_loss(net.forward(train_batch.images), train_batch.labels),
                                 searched);
  };
  const auto above = at_weights(eps);
  const auto below = at_weights(-eps);
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < searched.size(); ++i) {
    gradients[i] = gradients[i] - (above[i] - below[i]) * (rates.rate / (2 * eps));
  }
  return gradients;
}

/// One bilevel step, second order: alpha and beta step along unrolled_gradients, then the weights on
/// `train_batch`. No device synchronization. result.arch_loss is the loss at w'.
inline step_result second_order_step(any_supernet& net, const step_losses& losses,
                                     const step_optimizers& optimizers, const labelled_batch& train_batch,
                                     const labelled_batch& arch_batch) {
  step_result result;
  net.train();
  if (optimizers.train_alpha || optimizers.train_beta) {
    const auto gradients = unrolled_gradients(net, losses, optimizers, train_batch, arch_batch, result);
    detail::move_architecture(net, optimizers, gradients, result);
  }
  weight_step(net, net.arch().fixed_weights(), optimizers.weights, optimizers.clip, train_batch, result);
  return result;
}

}  // namespace crispnas
