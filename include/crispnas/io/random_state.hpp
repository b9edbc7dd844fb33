// Where do LibTorch's random generators stand? As tensors, so that a run that draws from them goes on with the same
// draws.
#pragma once

#include <ATen/Context.h>
#include <torch/types.h>

#include <crispnas/io/named_state.hpp>
#include <mutex>
#include <string>

namespace crispnas {

namespace detail {

inline void add_generator(named_state& state, const std::string& name, at::Device device) {
  state.add(
      name,
      [device] {
        at::Generator generator = at::globalContext().defaultGenerator(device);
        const std::lock_guard<std::mutex> lock(generator.mutex());
        return generator.get_state();
      },
      [device](const at::Tensor& saved) {
        at::Generator generator = at::globalContext().defaultGenerator(device);
        const std::lock_guard<std::mutex> lock(generator.mutex());
        generator.set_state(saved);
      });
}

}  // namespace detail

/// LibTorch's default generators: that of the CPU, and that of `device` where it is a GPU.
inline named_state random_state(at::Device device) {
  named_state state;
  detail::add_generator(state, "cpu", at::kCPU);
  if (device.is_cuda()) detail::add_generator(state, "cuda", device);
  return state;
}

}  // namespace crispnas
