// The quantities of a training from scratch, and the recipes of the field. The defaults are DARTS's for CIFAR, which the paper follows.
#pragma once

#include <crispnas/data/augment.hpp>
#include <crispnas/search/optimizers.hpp>
#include <crispnas/search/step_progress.hpp>
#include <crispnas/search/when_lost.hpp>
#include <cstdint>
#include <functional>

namespace crispnas {

/// How the rate falls from epoch to epoch once the warm-up is over.
enum class rate_schedule : std::uint8_t { cosine, linear };

/// In which numbers a network computes; parameters and their updates stay as they are.
enum class precision : std::uint8_t {
  full,      ///< those of its parameters
  bfloat16,  ///< by autocast, on CUDA and the CPU: products in bfloat16, which has the range of float32 and so needs no loss scaling
};

struct train_options {
  int epochs = 600;
  std::int64_t batch_size = 96;
  std::uint64_t seed = 0;  ///< of shuffles and augmentation

  double rate = 0.025;  ///< SGD; of an epoch, see rate_of_epoch
  double last_rate = 0.0;
  rate_schedule schedule = rate_schedule::cosine;
  int warmup_epochs = 0;  ///< in which the rate grows to `rate` in equal parts
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 3e-4;
  double clip = 5.0;  ///< norm of the gradient; 0: any

  double label_smoothing = 0.0;   ///< share of the target that all classes get alike
  double auxiliary_weight = 0.4;  ///< of the auxiliary head's loss, where the network has one
  double drop_path = 0.2;         ///< probability that the epochs grow towards, from 0

  augmentation augment{.cutout = 16};  ///< of images in memory
  precision numbers = precision::full;
  bool channels_last = true;  ///< the faster layout, on the CPU too
  int workers = 1;            ///< threads that make batches ahead; 0: none. Results are the same

  std::function<void(const step_progress&)> on_step{};  ///< called after every step
  std::function<bool()> stop{};                         ///< asked before every step: true ends the run there

  lost_numbers when_lost = lost_numbers::abort;  ///< a NaN or infinity
  int lost_limit = 3;  ///< steps of a training that may be skipped or rolled back over
};

namespace presets {

/// DARTS's for CIFAR: 600 epochs, batch 96, rate 0.025 along a cosine to 0, cutout, drop path, auxiliary loss. With cifar_network().
inline train_options cifar_recipe() { return {}; }

/// The paper's for ImageNet: 250 epochs, batch 1024, rate 0.5 linearly to 0 after 5 epochs of warm-up, label smoothing. With
/// imagenet_network().
inline train_options imagenet_recipe() {
  train_options options;
  options.epochs = 250;
  options.batch_size = 1024;
  options.rate = 0.5;
  options.schedule = rate_schedule::linear;
  options.warmup_epochs = 5;
  options.weight_decay = 3e-5;
  options.label_smoothing = 0.1;
  options.drop_path = 0.0;
  options.augment = {};
  return options;
}

/// NAS-Bench-201's for its table: 200 epochs, batch 256, Nesterov's momentum, rate 0.1 along a cosine to 0. With
/// nas_bench_201_network().
inline train_options nas_bench_201_recipe() {
  train_options options;
  options.epochs = 200;
  options.batch_size = 256;
  options.rate = 0.1;
  options.nesterov = true;
  options.weight_decay = 5e-4;
  options.clip = 0.0;
  options.auxiliary_weight = 0.0;
  options.drop_path = 0.0;
  options.augment = {};
  return options;
}

}  // namespace presets

/// The rate of epoch e, from 1. Warm-up: e / warmup_epochs of the rate; then the schedule over the epochs that are left, which begins
/// at `rate` and would reach `last_rate` one epoch after the last, as PyTorch's.
inline double rate_of_epoch(const train_options& o, int epoch) {
  if (epoch <= o.warmup_epochs) return o.rate * double(epoch) / double(o.warmup_epochs);
  const int at = epoch - o.warmup_epochs;
  const int of = o.epochs - o.warmup_epochs;
  if (o.schedule == rate_schedule::cosine) return cosine_rate(o.rate, o.last_rate, at, of);
  return o.last_rate + (o.rate - o.last_rate) * double(of - at + 1) / double(of);
}

}  // namespace crispnas
