// What does a regularizer put out? Named terms with their factors, so that a report can show each by name.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace crispnas {

/// One term of the loss: a scalar tensor and the factor that it enters the loss with in this epoch.
struct named_term {
  std::string name;
  at::Tensor value;
  double factor = 1.0;
};
using loss_terms = std::vector<named_term>;

/// sum of factor * value; an undefined tensor when there is nothing to add.
inline at::Tensor weighted_sum(const loss_terms& terms) {
  at::Tensor sum;
  for (const auto& term : terms) {
    if (term.factor == 0.0) continue;
    const at::Tensor part = term.value * term.factor;
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

}  // namespace crispnas
