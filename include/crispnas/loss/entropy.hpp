// The entropy of a softmax, computed so that it is finite for any logits.
#pragma once

#include <torch/types.h>

#include <crispnas/nn/meta.hpp>

namespace crispnas {

/// -sum p log p over `dim` with p = softmax(logits). From log-softmax: p log p computed from p itself is NaN once p
/// underflows, which single logits below about -100 do in float32.
inline at::Tensor softmax_entropy(const at::Tensor& logits, std::int64_t dim) {
  const at::Tensor log_p = at::log_softmax(logits, dim);
  return -(log_p.exp() * log_p).sum(dim);
}

/// -sum p log p over all of p, for shares p >= 0 that were not made by one softmax; 0 log 0 = 0.
inline at::Tensor entropy_of_shares(const at::Tensor& p) {
  // The floor keeps the gradient log p + 1 finite; below it a share adds less than 1e-10 to the entropy.
  return -(p * nn::bounded(p, 1e-12, std::nullopt).log()).sum();
}

}  // namespace crispnas
