// Has a number been lost? NaN or infinity in a loss, in the gradient, in a weight, in alpha, beta or the variances of batch norm.
// One flag on the device tells for a whole step; it is read a step later, so that nothing waits.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <crispnas/error.hpp>
#include <crispnas/search/bilevel.hpp>
#include <crispnas/search/optimizers.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace crispnas {

/// A step whose numbers are still on the device.
struct step_to_read {
  step_result result;
  at::Tensor fine;                  ///< a flag, see all_finite; undefined on meta
  std::int64_t step = 0;            ///< of its epoch, from 0
  std::vector<std::int64_t> train;  ///< images of the two batches
  std::vector<std::int64_t> arch;
  std::string
      undone;  ///< which parameters held a NaN or infinity before the step was undone, where that is known
};

/// The tensors in which a step can lose a number without its losses telling: weights and variances of batch norm.
inline std::vector<at::Tensor> watched_tensors(const torch::nn::Module& net) {
  std::vector<at::Tensor> watched;
  for (const auto& p : net.named_parameters()) watched.push_back(p.value().detach());
  for (const auto& b : net.named_buffers()) {
    if (b.key().ends_with("running_var")) watched.push_back(b.value());
  }
  return watched;
}

/// The same with alpha and beta.
inline std::vector<at::Tensor> watched_tensors(const any_supernet& net) {
  auto watched = watched_tensors(static_cast<const torch::nn::Module&>(net));
  for (const auto& [name, value] : net.arch().named()) watched.push_back(value.detach());
  return watched;
}

namespace detail {

template <class Scalar>
bool finite_in_memory(const std::vector<at::Tensor>& tensors) {
  for (const auto& t : tensors) {
    const auto* x = t.const_data_ptr<Scalar>();
    bool finite = true;  // no way out of the inner loop, which is then one over vectors
    for (std::int64_t i = 0, n = t.numel(); i < n; ++i) finite = finite & std::isfinite(x[i]);
    if (!finite) return false;
  }
  return true;
}

}  // namespace detail

/// A flag on the device: the scalars and everything in `watched` (of one type) are finite. Undefined on `meta`.
inline at::Tensor all_finite(std::vector<at::Tensor> scalars, const std::vector<at::Tensor>& watched) {
  if (scalars.front().is_meta()) return {};
  const at::NoGradGuard no_grad;
  for (auto& s : scalars) s = s.detach().to(at::kDouble);
  at::Tensor fine = at::isfinite(at::stack(scalars)).all();
  if (watched.empty()) return fine;
  // A super-network has about a thousand of them: an operation for each takes milliseconds.
  if (detail::in_plain_memory(watched)) {
    const bool finite = watched.front().scalar_type() == at::kFloat
                            ? detail::finite_in_memory<float>(watched)
                            : detail::finite_in_memory<double>(watched);
    return fine.logical_and(at::scalar_tensor(finite, at::kBool));
  }
  // Of each the largest, not the norm: squares could overflow.
  return fine.logical_and(at::isfinite(at::stack(at::_foreach_norm(watched, INFINITY))).all());
}

/// The same of a step of a search.
inline at::Tensor all_finite(const step_result& result, const std::vector<at::Tensor>& watched) {
  std::vector<at::Tensor> scalars{result.weight_loss, result.gradient_norm};
  if (result.arch_loss.defined()) scalars.push_back(result.arch_loss);
  return all_finite(std::move(scalars), watched);
}

/// "1e+30", "nan": as short as it can be read.
inline std::string shown(double value) {
  if (std::isnan(value)) return "nan";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// "3, 17, 5"; of many the first ones.
inline std::string listed_indices(const std::vector<std::int64_t>& indices) {
  constexpr std::size_t most = 64;
  std::string text;
  for (std::size_t i = 0; i < indices.size() && i < most; ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(indices[i]);
  return indices.size() <= most ? text : text + ", ... (" + std::to_string(indices.size()) + " in all)";
}

namespace detail {

/// " 3 such steps were passed over before."
inline std::string passed_over_before(std::int64_t count) {
  if (count == 0) return {};
  return " " + std::to_string(count) + (count == 1 ? " such step was" : " such steps were") +
         " passed over before.";
}

}  // namespace detail

/// The first parameter that holds a NaN or infinity, and the first statistic of batch norm; "none".
inline std::string first_lost(const torch::nn::Module& net) {
  std::string where;
  const auto first = [&](const auto& tensors, const char* among) {
    for (const auto& t : tensors) {
      if (at::isfinite(t.value().detach()).all().template item<bool>()) continue;
      where += (where.empty() ? "" : ", ") + t.key() + " first among the " + among;
      return;
    }
  };
  first(net.named_parameters(), "weights");
  first(net.named_buffers(), "statistics of batch norm");
  return where.empty() ? "none" : where;
}

/// The same with every alpha and beta that does: numbers are read late, so these may have caught it from the weights, or the weights
/// from them.
inline std::string lost_parameters(const any_supernet& net) {
  std::string where = first_lost(net);
  for (const auto& [name, value] : net.arch().named()) {
    if (!at::isfinite(value.detach()).all().item<bool>())
      where = (where == "none" ? "" : where + ", ") + name;
  }
  return where;
}

/// "alphas_normal from -0.1 to 0.2, ...": alpha and beta as far as they are finite.
inline std::string ranges_of(const architecture& arch) {
  std::string text;
  for (const auto& [name, value] : arch.named()) {
    const at::Tensor all = value.detach();
    const at::Tensor finite = all.masked_select(at::isfinite(all));
    text += (text.empty() ? "" : ", ") + name;
    text += finite.numel() == 0
                ? std::string(" without a finite number")
                : " from " + shown(finite.min().item<double>()) + " to " + shown(finite.max().item<double>());
  }
  return text;
}

/// Throws crispnas::error: where it was lost, by which images, and what holds it (`where`). `passed_over`: steps that were passed over
/// before.
[[noreturn]] inline void fail_with_lost_numbers(const architecture& arch, const step_to_read& done,
                                                std::int64_t epoch, double rate, std::int64_t passed_over,
                                                const std::string& where) {
  const auto show = [](const at::Tensor& t) { return t.defined() ? shown(t.item<double>()) : "-"; };
  std::string text = "crispnas::searcher: a number was lost in epoch " + std::to_string(epoch) + ", step " +
                     std::to_string(done.step + 1) + ": weight loss " + show(done.result.weight_loss) +
                     ", architecture loss " + show(done.result.arch_loss) + ", gradient norm " +
                     show(done.result.gradient_norm) + "; parameters with a NaN or infinity: " + where +
                     "; " + ranges_of(arch) + ". Weight rate " + shown(rate) +
                     "; images of the half that trains the weights: " + listed_indices(done.train) +
                     "; of the other half: " + listed_indices(done.arch) + ".";
  throw error(text + detail::passed_over_before(passed_over) +
              " Lower the rate, look at the images, or let such steps pass (when_lost, lost_limit).");
}

}  // namespace crispnas
