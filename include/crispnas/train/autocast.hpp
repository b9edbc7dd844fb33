// How does a pass compute in bfloat16? By LibTorch's autocast, switched on for the lifetime of a guard; off for `precision::full`.
#pragma once

#include <ATen/autocast_mode.h>

#include <crispnas/error.hpp>
#include <crispnas/train/train_options.hpp>

namespace crispnas {

/// Throws crispnas::error where a network of this device and type cannot compute in these numbers.
inline void check_precision(precision numbers, at::Device device, at::ScalarType type) {
  if (numbers == precision::full) return;
  if (!device.is_cuda() && !device.is_cpu())
    throw error("crispnas: bfloat16 is for CUDA and the CPU; the network is on " + device.str() + ".");
  if (type != at::kFloat)
    throw error("crispnas: bfloat16 needs a network of float32, this one is of another type.");
}

class autocast_guard {
 public:
  autocast_guard(precision numbers, at::Device device)
      : device_(device.type()), on_(numbers != precision::full) {
    if (!on_) return;
    was_enabled_ = at::autocast::is_autocast_enabled(device_);
    was_type_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  autocast_guard(const autocast_guard&) = delete;
  autocast_guard& operator=(const autocast_guard&) = delete;
  ~autocast_guard() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_enabled_);
    at::autocast::set_autocast_dtype(device_, was_type_);
  }

 private:
  at::DeviceType device_;
  bool on_;
  bool was_enabled_ = false;
  at::ScalarType was_type_ = at::kFloat;
};

}  // namespace crispnas
