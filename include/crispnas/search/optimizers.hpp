// The two optimizers of a search: SGD with momentum for weights, by PyTorch's fused update over the list; Adam for alpha and
// beta, four small tensors. The state is in plain vectors beside the parameters.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <crispnas/io/named_state.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

struct sgd_options {
  double rate = 0.025;
  double momentum = 0.9;
  double weight_decay = 3e-4;
  bool nesterov = false;
};

/// SGD with momentum: v = momentum v + g + decay w; w -= rate v. Nesterov's: w -= rate (g + decay w + momentum v).
class sgd {
 public:
  sgd(std::vector<at::Tensor> parameters, const sgd_options& options)
      : parameters_(std::move(parameters)), options_(options) {
    for (const auto& p : parameters_) velocity_.push_back(at::zeros_like(p));
  }
  /// One step with the gradients given; they are changed.
  void step(const std::vector<at::Tensor>& gradients) {
    at::NoGradGuard no_grad;
    if (parameters_.empty()) return;
    if (parameters_.front().is_cpu() || parameters_.front().is_cuda()) {
      at::_fused_sgd_(parameters_, gradients, velocity_, options_.weight_decay, options_.momentum,
                      options_.rate, 0.0, options_.nesterov, false, false);
      return;
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const at::Tensor g = gradients[i].add(parameters_[i], options_.weight_decay);
      velocity_[i].mul_(options_.momentum).add_(g);
      parameters_[i].add_(options_.nesterov ? g.add(velocity_[i], options_.momentum) : velocity_[i],
                          -options_.rate);
    }
  }
  void rate(double value) { options_.rate = value; }
  double rate() const { return options_.rate; }
  const sgd_options& options() const { return options_; }
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  std::vector<at::Tensor>& velocity() { return velocity_; }
  /// What it remembers, under the names of its parameters.
  named_state state(const std::vector<std::string>& names) {
    named_state all;
    for (std::size_t i = 0; i < velocity_.size(); ++i) all.add("velocity." + names.at(i), velocity_[i]);
    return all;
  }

 private:
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> velocity_;
  sgd_options options_;
};

struct adam_options {
  double rate = 3e-4;
  double beta1 = 0.5;
  double beta2 = 0.999;
  double weight_decay = 1e-3;
  double eps = 1e-8;
};

/// Adam with weight decay in the gradient, as PyTorch's.
class adam {
 public:
  adam(std::vector<at::Tensor> parameters, const adam_options& options)
      : parameters_(std::move(parameters)), options_(options) {
    for (const auto& p : parameters_) {
      mean_.push_back(at::zeros_like(p));
      square_.push_back(at::zeros_like(p));
    }
  }
  void step(const std::vector<at::Tensor>& gradients) {
    at::NoGradGuard no_grad;
    ++steps_;
    const double c1 = 1.0 - std::pow(options_.beta1, double(steps_));
    const double c2 = 1.0 - std::pow(options_.beta2, double(steps_));
    // A few small tensors: plain operations cost nothing here and run on any device.
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const at::Tensor g = gradients[i].add(parameters_[i], options_.weight_decay);
      mean_[i].mul_(options_.beta1).add_(g, 1.0 - options_.beta1);
      square_[i].mul_(options_.beta2).addcmul_(g, g, 1.0 - options_.beta2);
      parameters_[i].addcdiv_(mean_[i], (square_[i] / c2).sqrt_().add_(options_.eps), -options_.rate / c1);
    }
  }
  void rate(double value) { options_.rate = value; }
  double rate() const { return options_.rate; }
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  std::vector<at::Tensor>& mean() { return mean_; }
  std::vector<at::Tensor>& square() { return square_; }
  std::int64_t steps() const { return steps_; }
  /// What it remembers, under the names of its parameters.
  named_state state(const std::vector<std::string>& names) {
    named_state all;
    for (std::size_t i = 0; i < mean_.size(); ++i) {
      all.add("mean." + names.at(i), mean_[i]);
      all.add("square." + names.at(i), square_[i]);
    }
    all.add("steps", steps_);
    return all;
  }

 private:
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> mean_;
  std::vector<at::Tensor> square_;
  adam_options options_;
  std::int64_t steps_ = 0;
};

namespace detail {

/// Whether plain loops over memory can serve: on the CPU, of one type, float32 or float64, without gaps.
inline bool in_plain_memory(const std::vector<at::Tensor>& tensors) {
  const auto type = tensors.front().scalar_type();
  if (type != at::kFloat && type != at::kDouble) return false;
  for (const auto& t : tensors) {
    if (!t.is_cpu() || t.scalar_type() != type || !t.is_non_overlapping_and_dense()) return false;
  }
  return true;
}

/// The sum of squares in float64, in 8 partial sums so that it runs as vectors.
template <class Scalar>
double sum_of_squares(const std::vector<at::Tensor>& tensors) {
  constexpr std::int64_t lanes = 8;
  double sums[lanes] = {};
  for (const auto& t : tensors) {
    const auto* x = t.const_data_ptr<Scalar>();
    const std::int64_t n = t.numel();
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      for (std::int64_t k = 0; k < lanes; ++k) sums[k] += double(x[i + k]) * double(x[i + k]);
    }
    for (; i < n; ++i) sums[0] += double(x[i]) * double(x[i]);
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

/// clip_gradients in one pass for the norm, and one more only where they are too long: a super-network has over a thousand weights,
/// and an operation for each costs more than its arithmetic.
template <class Scalar>
at::Tensor clip_in_memory(const std::vector<at::Tensor>& gradients, double limit) {
  const double norm = std::sqrt(sum_of_squares<Scalar>(gradients));
  if (limit > 0 && !(norm + 1e-6 <= limit)) {
    const auto factor = static_cast<Scalar>(limit / (norm + 1e-6));
    for (const auto& g : gradients) {
      auto* x = g.mutable_data_ptr<Scalar>();
      for (std::int64_t i = 0, n = g.numel(); i < n; ++i) x[i] *= factor;
    }
  }
  return at::scalar_tensor(norm, gradients.front().options());
}

}  // namespace detail

/// Scales gradients in place so that their common norm is at most `limit`; returns the norm before (a scalar tensor; no
/// synchronization). limit <= 0: only the norm.
inline at::Tensor clip_gradients(const std::vector<at::Tensor>& gradients, double limit) {
  at::NoGradGuard no_grad;
  if (gradients.empty()) return at::zeros({});
  if (detail::in_plain_memory(gradients)) {
    return gradients.front().scalar_type() == at::kFloat ? detail::clip_in_memory<float>(gradients, limit)
                                                         : detail::clip_in_memory<double>(gradients, limit);
  }
  at::Tensor norm = at::stack(at::_foreach_norm(gradients, 2)).norm();
  if (limit > 0) at::_foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp_max(1.0));
  return norm;
}

/// The cosine rate of epoch e (from 1) of E: falls from `first` towards `last`, as PyTorch's CosineAnnealingLR(E).
inline double cosine_rate(double first, double last, int epoch, int epochs) {
  constexpr double pi = 3.14159265358979323846;
  return last + 0.5 * (first - last) * (1.0 + std::cos(pi * double(epoch - 1) / double(epochs)));
}

}  // namespace crispnas
