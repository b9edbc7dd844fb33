// The command line of programs that compute: the same for all (command_line.hpp), and the device that they
// run on.
#pragma once

#include <torch/cuda.h>
#include <torch/types.h>

#include <algorithm>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "errors.hpp"
#include "suggest.hpp"

namespace support {

/// "cpu", "cuda" or "cuda:N", where `gpus` are there. Throws usage_error that names what is there.
inline torch::Device parse_device(const std::string& text, int gpus) {
  if (text == "cpu") return torch::kCPU;
  int index = 0;
  if (text != "cuda") {
    const bool numbered =
        text.starts_with("cuda:") && text.size() > 5 && text.size() <= 8 &&
        std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!numbered) {
      const std::vector<std::string> valid{"cpu", "cuda", "cuda:0"};
      const std::string guess = text == "gpu" ? "; did you mean 'cuda'?" : did_you_mean(text, valid);
      throw usage_error("device '" + text + "' is not one of cpu, cuda, cuda:N" +
                        (guess.empty() ? "." : guess));
    }
    index = std::stoi(text.substr(5));
  }
  if (gpus == 0) {
    throw usage_error(
        "device '" + text +
        "': there is no GPU that LibTorch can use here. Use --device cpu; or, if there is a GPU, check its "
        "driver (nvidia-smi) and that LibTorch is built for CUDA.");
  }
  if (index >= gpus) {
    throw usage_error("device '" + text + "': there are " + std::to_string(gpus) +
                      " GPUs; the last one is cuda:" + std::to_string(gpus - 1) + ".");
  }
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

/// The same with the GPUs of this machine.
inline torch::Device parse_device(const std::string& text) {
  return parse_device(text, torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0);
}

}  // namespace support
