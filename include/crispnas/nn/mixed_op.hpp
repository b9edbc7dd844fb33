// The mixed operation of one edge: all ops of the set on 1/K of the channels, weighted; the other channels pass by.
#pragma once

#include <crispnas/nn/op.hpp>
#include <memory>
#include <span>
#include <vector>

namespace crispnas::nn {

/// cat(mixed, bypass) with channel c of group g moved to c * groups + g (PC-DARTS).
inline Tensor channel_shuffle(const Tensor& x, int groups) {
  const auto b = x.size(0);
  const auto c = x.size(1);
  return x.reshape({b, groups, c / groups, x.size(2), x.size(3)})
      .transpose(1, 2)
      .reshape({b, c, x.size(2), x.size(3)});
}

/// Ops are named `_ops.<edge>._ops.<op>` as published.
class mixed_op final : public torch::nn::Module {
 public:
  mixed_op(const init_context& init, std::span<const op_factory> ops, int channels, int stride, int partial,
           bool normalized_pools)
      : partial_(partial), stride_(stride) {
    auto list = register_module("_ops", std::make_shared<sequence>());
    for (op_factory make : ops) {
      ops_.push_back(make({init, channels / partial, stride, false, normalized_pools}));
      list->add(ops_.back());
    }
  }

  /// x: [batch, channels, h, w]; weights: [ops], summing to the number of ops per edge. `used[o]` false skips op o, whose
  /// weight must then be 0 (a cut super-network).
  Tensor forward(const Tensor& x, const Tensor& weights, std::span<const char> used) {
    const auto seen = x.size(1) / partial_;
    const Tensor input = partial_ == 1 ? x : x.slice(1, 0, seen);  // [batch, channels / K, h, w]
    Tensor mixed;
    for (std::size_t o = 0; o < ops_.size(); ++o) {
      if (!used.empty() && !used[o]) continue;
      const Tensor y = ops_[o]->forward(input) * weights.select(0, static_cast<std::int64_t>(o));
      mixed = mixed.defined() ? mixed + y : y;
    }
    if (partial_ == 1) return mixed;
    Tensor bypass = x.slice(1, seen);
    if (stride_ == 2) bypass = at::max_pool2d(bypass, {2, 2}, {2, 2});
    if (!mixed.defined()) mixed = at::zeros_like(bypass.slice(1, 0, seen));
    return channel_shuffle(at::cat({mixed, bypass}, 1), partial_);
  }

  const std::vector<layer_ptr>& ops() const { return ops_; }
  int stride() const { return stride_; }

 private:
  int partial_;
  int stride_;
  std::vector<layer_ptr> ops_;
};

}  // namespace crispnas::nn
