// The quantities of a search. The defaults are the paper's (section 4.1); presets name the two published settings.
#pragma once

#include <crispnas/data/augment.hpp>
#include <crispnas/search/search_order.hpp>
#include <crispnas/search/when_lost.hpp>
#include <cstdint>
#include <functional>

namespace crispnas {

struct step_progress;

struct search_options {
  int epochs = 50;
  std::int64_t batch_size = 64;
  std::uint64_t seed = 0;  ///< of shuffles and augmentation
  search_order order = search_order::first;

  double weight_rate = 0.025;  ///< falls to last_weight_rate along a cosine
  double last_weight_rate = 0.0;
  double momentum = 0.9;
  double weight_decay = 3e-4;
  double clip = 5.0;  ///< norm of the weights' gradient

  double alpha_rate = 3e-4;  ///< Adam, constant
  double beta_rate = 3e-4;
  double adam_beta1 = 0.5;
  double adam_beta2 = 0.999;
  double arch_decay = 1e-3;

  double alpha_warmup = 0.0;  ///< fraction of the epochs in which alpha waits
  double beta_warmup = 0.0;   ///< fraction of the epochs in which beta waits
  double strength = 1.0;      ///< factor on the regularizer; 0 is the control

  augmentation augment{};                               ///< crop with padding 4, flip, no cutout
  std::function<void(const step_progress&)> on_step{};  ///< called after every step
  std::function<bool()> stop{};                         ///< asked before every step: true ends the run there

  lost_numbers when_lost = lost_numbers::abort;  ///< a NaN or infinity
  int lost_limit = 3;  ///< steps of a search that may be skipped or rolled back over
};

namespace presets {

/// The paper's text: 50 epochs, batch 64, rate 0.025 (its 0.25 is taken for a slip) to 0, Adam (0.5, 0.999) at 3e-4 with decay
/// 1e-3, no warm-up beside the delay of the schedules.
inline search_options paper() { return {}; }

/// The authors' code: the rate ends at 0.001 and alpha waits for 8 of 50 epochs, beta does not.
/// Use it with authors_code_spec.
inline search_options authors_code() {
  search_options options;
  options.last_weight_rate = 0.001;
  options.alpha_warmup = 8.0 / 50.0;
  return options;
}

}  // namespace presets

/// Adam's steps move a logit by about one rate each. The paper's 19,500 steps of 3e-4 let it travel about 5.9; a shorter run
/// needs this rate to let it travel as far.
inline double rate_for_travel(std::int64_t steps, double distance = 19500 * 3e-4) {
  return steps < 1 ? 0.0 : distance / double(steps);
}

}  // namespace crispnas
