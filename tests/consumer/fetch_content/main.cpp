#include <cmath>
#include <crispnas/loss/entropy.hpp>

int main() {
  // All seven operations alike: the entropy is log 7 on each of the 14 edges.
  const at::Tensor entropy = crispnas::softmax_entropy(at::zeros({14, 7}), 1);
  return std::abs(entropy.sum().item<double>() - 14 * std::log(7.0)) < 1e-4 ? 0 : 1;
}
