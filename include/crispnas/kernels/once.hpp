// How do fused functions refuse double backward? Their gradients leave through a function whose own backward
// throws.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <crispnas/error.hpp>

namespace crispnas::kernels {

/// The identity, once differentiable things end here.
struct first_order_only : torch::autograd::Function<first_order_only> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext*, at::TensorList in) {
    torch::autograd::variable_list out;
    for (const auto& t : in) out.push_back(t.defined() ? t.alias() : t);
    return out;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list&) {
    throw error(
        "crispnas::kernels: the fused kernels give first-order gradients only. For gradients of gradients "
        "build the super-network with stock operations.");
  }
};

/// Gradients as a backward function returns them: with create_graph they carry a history that refuses to be
/// followed.
inline torch::autograd::variable_list once_differentiable(torch::autograd::variable_list gradients) {
  if (!at::GradMode::is_enabled()) return gradients;
  torch::autograd::variable_list defined;
  for (auto& g : gradients) {
    if (g.defined()) defined.push_back(g.detach().requires_grad_());
  }
  if (defined.empty()) return gradients;
  auto guarded = first_order_only::apply(at::TensorList(defined));
  std::size_t next = 0;
  for (auto& g : gradients) {
    if (g.defined()) g = guarded[next++];
  }
  return gradients;
}

/// Anything of ours inside an autograd context.
template <class T>
struct capsule : torch::CustomClassHolder {
  T value;
  explicit capsule(T v) : value(std::move(v)) {}
  static at::IValue wrap(T v) { return at::IValue::make_capsule(c10::make_intrusive<capsule>(std::move(v))); }
  static T& unwrap(const at::IValue& v) { return static_cast<capsule*>(v.toCapsule().get())->value; }
};

}  // namespace crispnas::kernels
