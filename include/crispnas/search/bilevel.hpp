// One bilevel step, first order: alpha and beta learn from one batch at fixed weights, then the weights from another at fixed
// alpha and beta (equation 7; DARTS, algorithm 1 with xi = 0).
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <crispnas/loss/regularizer.hpp>
#include <crispnas/loss/terms.hpp>
#include <crispnas/search/optimizers.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace crispnas {

/// Normalized images [batch, channels, h, w] and labels [batch] (int64), on the network's device.
struct labelled_batch {
  at::Tensor images;
  at::Tensor labels;
};

/// What is to be minimized besides the classification loss in this epoch.
struct step_losses {
  regularizer_function regularizer = nullptr;  ///< null: nothing
  int epoch = 1;                               ///< from 1
  int epochs = 1;
  double strength = 1.0;  ///< a factor on the whole regularizer; 0: the control
};

struct step_optimizers {
  sgd& weights;
  adam& alpha;
  adam& beta;
  double clip = 5.0;        ///< norm of the weights' gradient
  bool train_alpha = true;  ///< off during the warm-up of alpha
  bool train_beta = true;   ///< off during the warm-up of beta
};

/// Scalars of a step, still on the device: reading one waits for it.
struct step_result {
  at::Tensor weight_loss;    ///< classification loss of the training batch
  at::Tensor arch_loss;      ///< classification loss of the architecture batch; undefined in a full warm-up
  at::Tensor gradient_norm;  ///< of the weights, before clipping
  at::Tensor correct;        ///< number of right answers in the training batch
  loss_terms terms;          ///< the regularizer's, at this step; while alpha and beta wait, too
};

/// The regularizer's terms in this epoch, their factors times the strength; none without a regularizer.
inline loss_terms terms_at(const architecture& arch, const step_losses& losses) {
  if (losses.regularizer == nullptr || losses.strength == 0.0) return {};
  loss_terms terms = losses.regularizer(arch, losses.epoch, losses.epochs);
  for (auto& term : terms) term.factor *= losses.strength;
  return terms;
}

/// The loss that alpha and beta see: classification + strength * regularizer. `logits`, where given, gets the logits.
inline at::Tensor architecture_loss(any_supernet& net, const step_losses& losses, const labelled_batch& batch,
                                    step_result& result, at::Tensor* logits = nullptr) {
  const at::Tensor computed = net.forward(batch.images);
  if (logits != nullptr) *logits = computed;
  result.arch_loss = at::cross_entropy_loss(computed, batch.labels);
  result.terms = terms_at(net.arch(), losses);
  const at::Tensor extra = weighted_sum(result.terms);
  return extra.defined() ? result.arch_loss + extra : result.arch_loss;
}

namespace detail {

/// Gradients of `loss`: zero where the loss does not depend on a parameter, and never an expanded view, since they are scaled
/// in place.
inline std::vector<at::Tensor> own_gradients(const at::Tensor& loss,
                                             const std::vector<at::Tensor>& parameters) {
  auto gradients = torch::autograd::grad({loss}, parameters, {}, {}, false, true);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(parameters[i]);
    if (!gradients[i].is_non_overlapping_and_dense()) gradients[i] = gradients[i].contiguous();
  }
  return gradients;
}

/// Parameters that need no gradient for a while, also when an exception ends it.
class frozen {
 public:
  explicit frozen(const std::vector<at::Tensor>& parameters) : parameters_(parameters) {
    for (const auto& p : parameters_) p.set_requires_grad(false);
  }
  frozen(const frozen&) = delete;
  frozen& operator=(const frozen&) = delete;
  ~frozen() {
    for (const auto& p : parameters_) p.set_requires_grad(true);
  }

 private:
  const std::vector<at::Tensor>& parameters_;
};

}  // namespace detail

namespace detail {

/// What is searched in this step: alpha, then beta, as far as they do not wait.
inline std::vector<at::Tensor> searched_parameters(const step_optimizers& optimizers) {
  std::vector<at::Tensor> searched;
  const auto add = [&](bool on, const adam& a) {
    if (on) searched.insert(searched.end(), a.parameters().begin(), a.parameters().end());
  };
  add(optimizers.train_alpha, optimizers.alpha);
  add(optimizers.train_beta, optimizers.beta);
  return searched;
}

/// The step on alpha and beta with the gradients of searched_parameters().
inline void move_architecture(any_supernet& net, const step_optimizers& optimizers,
                              const std::vector<at::Tensor>& gradients, step_result& result) {
  const auto alphas = optimizers.train_alpha ? optimizers.alpha.parameters().size() : 0;
  const auto middle = gradients.begin() + static_cast<std::ptrdiff_t>(alphas);
  if (optimizers.train_alpha) optimizers.alpha.step({gradients.begin(), middle});
  if (optimizers.train_beta) optimizers.beta.step({middle, gradients.end()});
  net.arch().project();
  result.arch_loss = result.arch_loss.detach();
  for (auto& term : result.terms) term.value = term.value.detach();
}

}  // namespace detail

/// The upper level: one step on alpha and beta at fixed weights. Only gradients of alpha and beta are computed.
inline void architecture_step(any_supernet& net, const step_losses& losses, const step_optimizers& optimizers,
                              const labelled_batch& batch, step_result& result) {
  if (!optimizers.train_alpha && !optimizers.train_beta) return;
  const detail::frozen still(optimizers.weights.parameters());
  const at::Tensor loss = architecture_loss(net, losses, batch, result);
  detail::move_architecture(net, optimizers,
                            detail::own_gradients(loss, detail::searched_parameters(optimizers)), result);
}

/// The lower level: one step on the weights with the op and edge weights held at `fixed`; those of a cut train a derived cell.
inline void weight_step(any_supernet& net, const network_weights& fixed, sgd& optimizer, double clip,
                        const labelled_batch& batch, step_result& result) {
  const at::Tensor logits = net.forward(batch.images, fixed);
  const at::Tensor loss = at::cross_entropy_loss(logits, batch.labels);
  const auto gradients = detail::own_gradients(loss, optimizer.parameters());
  result.gradient_norm = clip_gradients(gradients, clip);
  optimizer.step(gradients);
  result.weight_loss = loss.detach();
  result.correct = (logits.detach().argmax(1) == batch.labels).sum();
}

/// One bilevel step: alpha and beta learn from `arch_batch`, then the weights from `train_batch`. Reads nothing back
/// from the device.
inline step_result bilevel_step(any_supernet& net, const step_losses& losses,
                                const step_optimizers& optimizers, const labelled_batch& train_batch,
                                const labelled_batch& arch_batch) {
  step_result result;
  net.train();
  architecture_step(net, losses, optimizers, arch_batch, result);
  weight_step(net, net.arch().fixed_weights(), optimizers.weights, optimizers.clip, train_batch, result);
  return result;
}

}  // namespace crispnas
