// What the tests of the layers above nn/ share: architectures with chosen values, finite differences, tiny
// data.
#pragma once

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <crispnas/supernet/supernet.hpp>
#include <functional>
#include <string>
#include <vector>

#include "doctest.hpp"

namespace test {

namespace cn = crispnas;

/// An architecture in double; alpha and beta scatter by `noise` around their usual start.
inline cn::architecture make_architecture(const cn::space_table& space, double noise, std::uint64_t seed = 7,
                                          at::ScalarType dtype = at::kDouble) {
  return {space, {at::detail::createCPUGenerator(seed), at::kCPU, dtype}, {noise, noise}};
}

template <class Spec>
cn::architecture make_architecture(double noise, std::uint64_t seed = 7, at::ScalarType dtype = at::kDouble) {
  return make_architecture(cn::table_v<Spec>, noise, seed, dtype);
}

inline std::vector<double> numbers(const at::Tensor& t) {
  const at::Tensor flat = t.detach().to(at::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

inline at::Tensor doubles(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

inline void assign(const at::Tensor& t, const std::vector<double>& values) {
  at::NoGradGuard no_grad;
  const_cast<at::Tensor&>(t).copy_(doubles(values).view(t.sizes()));
}

/// LibTorch's operations on tensors this small take longer with several threads.
class one_thread {
 public:
  one_thread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;
  ~one_thread() { at::set_num_threads(before_); }

 private:
  int before_;
};

/// What the crispnas::error thrown by `f` says.
inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const cn::error& e) {
    return e.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Largest absolute difference; infinite where shapes differ or something is NaN.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return INFINITY;
  const double d = (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
  return std::isnan(d) ? INFINITY : d;
}

inline double largest(const at::Tensor& t) { return t.abs().max().item().toDouble(); }

inline at::Tensor gradient(const at::Tensor& value, const at::Tensor& x) {
  const auto g = torch::autograd::grad({value}, {x}, {}, true, false, true)[0];
  return g.defined() ? g : at::zeros_like(x);
}

/// Central differences of f, which reads x, in double: x is changed in place and put back.
inline at::Tensor numeric_gradient(const std::function<double()>& f, const at::Tensor& x, double h = 1e-5) {
  at::NoGradGuard no_grad;
  at::Tensor g = at::zeros_like(x);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    double& at_i = x.data_ptr<double>()[i];
    const double old = at_i;
    at_i = old + h;
    const double above = f();
    at_i = old - h;
    const double below = f();
    at_i = old;
    g.data_ptr<double>()[i] = (above - below) / (2 * h);
  }
  return g;
}

/// |analytic - numeric| against the largest entry.
inline double gradient_error(const std::function<at::Tensor()>& f, const at::Tensor& x) {
  const at::Tensor numeric = numeric_gradient([&] { return f().item<double>(); }, x);
  const double scale = numeric.abs().max().item<double>();
  return difference(gradient(f(), x), numeric) / std::max(scale, 1e-300);
}

}  // namespace test
