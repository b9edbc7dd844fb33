// Why is no GPU seen? From the hardware up: device files, the driver's library, the driver itself, LibTorch's flavour, the versions.
#pragma once

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "findings.hpp"

namespace support {

struct cuda_facts {
  int devices = 0;              ///< that LibTorch sees
  bool linked = false;          ///< libtorch_cuda is loaded
  bool beside = false;          ///< libtorch_cuda lies beside the LibTorch that is loaded
  bool device_files = false;    ///< /dev/nvidia0, or WSL's /dev/dxg
  bool driver_library = false;  ///< libcuda.so.1 can be opened
  int driver_answer = 0;        ///< of cuInit; 0: it works
  int driver_version = 0;       ///< the newest CUDA that the driver runs: 12040 is 12.4; 0: unknown
  int runtime_version = 0;      ///< the CUDA that LibTorch was built for; 0: unknown
  std::string visible{};        ///< CUDA_VISIBLE_DEVICES
  bool is_visible_set = false;
};

/// "12.4"
inline std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// The reason, and what to do; of facts where LibTorch sees no device.
inline std::pair<std::string, std::string> why_no_cuda(const cuda_facts& f) {
  if (!f.device_files && !f.driver_library)
    return {"no NVIDIA GPU or no driver here (no /dev/nvidia0, no libcuda.so.1)",
            "On a machine with a GPU install NVIDIA's driver; in a container start it with access to the GPU "
            "(docker run --gpus all)."};
  if (!f.device_files)
    return {
        "libcuda.so.1 is here, but no /dev/nvidia0",
        "The container has no access to the GPU (docker run --gpus all), or the kernel module is not loaded "
        "(nvidia-smi)."};
  if (!f.driver_library)
    return {"there is /dev/nvidia0, but libcuda.so.1 cannot be loaded",
            "Install the user-space part of the driver, of the version of the kernel's part."};
  if (!f.linked && !f.beside)
    return {"there is a GPU, but this LibTorch is of the CPU flavour (no libtorch_cuda.so)",
            "Install a LibTorch for CUDA, and build again."};
  if (!f.linked)
    return {"there is a GPU, but this program was built without libtorch_cuda, which lies beside LibTorch",
            "Configure with -DCRISPNAS_TORCH=CUDA and build again."};
  if (f.driver_version > 0 && f.runtime_version / 1000 > f.driver_version / 1000)
    return {"the driver is too old: it runs CUDA up to " + cuda_version_text(f.driver_version) +
                ", LibTorch was built for " + cuda_version_text(f.runtime_version),
            "Install a newer driver, or a LibTorch for an older CUDA."};
  if (f.is_visible_set && (f.visible.empty() || f.visible.front() == '-'))
    return {"CUDA_VISIBLE_DEVICES is '" + f.visible + "', which hides every GPU", "Unset it."};
  if (f.driver_answer != 0)
    return {"the driver does not start: cuInit answers " + std::to_string(f.driver_answer),
            "See what nvidia-smi says; after an update of the driver the machine has to be started anew."};
  return {"the driver works, but LibTorch sees no device",
          "See what nvidia-smi says, and CUDA_VISIBLE_DEVICES."};
}

/// What can be seen without LibTorch; `torch_folder` is the folder of libtorch_cpu.so.
inline cuda_facts look_for_cuda(const std::filesystem::path& torch_folder) {
  cuda_facts facts;
  std::error_code code;
  facts.device_files =
      std::filesystem::exists("/dev/nvidia0", code) || std::filesystem::exists("/dev/dxg", code);
  for (int i = 1; i < 64 && !facts.device_files; ++i)  // a container may have been given any of them
    facts.device_files = std::filesystem::exists("/dev/nvidia" + std::to_string(i), code);
  facts.beside = !torch_folder.empty() && std::filesystem::exists(torch_folder / "libtorch_cuda.so", code);
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    facts.is_visible_set = true;
    facts.visible = visible;
  }
  if (void* driver =
          ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {  // stays open: it cannot be closed once started
    facts.driver_library = true;
    const auto start = reinterpret_cast<int (*)(unsigned)>(::dlsym(driver, "cuInit"));
    const auto version = reinterpret_cast<int (*)(int*)>(::dlsym(driver, "cuDriverGetVersion"));
    if (start != nullptr) facts.driver_answer = start(0);
    if (version != nullptr) version(&facts.driver_version);
  }
  return facts;
}

/// The number behind "CUDA Runtime " in what LibTorch tells of itself: 12040 for 12.4; 0 where it tells none.
inline int cuda_of_libtorch(const std::string& told) {
  constexpr const char* key = "CUDA Runtime ";
  const auto at = told.find(key);
  if (at == std::string::npos) return 0;
  char* end = nullptr;
  const long major = std::strtol(told.c_str() + at + std::char_traits<char>::length(key), &end, 10);
  const long minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;
  return static_cast<int>(1000 * major + 10 * minor);
}

/// What `device` ("cpu", "cuda", "cuda:1") needs.
inline findings cuda_findings(const cuda_facts& facts, const std::string& device) {
  const bool asked = device != "cpu";
  if (facts.devices == 0) {
    const auto [reason, advice] = why_no_cuda(facts);
    if (asked) return {{health::problem, "CUDA", "--device " + device + ": " + reason, advice}};
    const bool idle = facts.device_files;  // a GPU that could be used
    return {{idle ? health::warning : health::ok, "CUDA", reason + "; a search runs on the CPU",
             idle ? advice : ""}};
  }
  const std::string seen = std::to_string(facts.devices) + (facts.devices == 1 ? " GPU" : " GPUs") +
                           ", driver for CUDA " + cuda_version_text(facts.driver_version) +
                           ", LibTorch for " + cuda_version_text(facts.runtime_version);
  int index = 0;
  if (device.starts_with("cuda:")) std::from_chars(device.data() + 5, device.data() + device.size(), index);
  if (asked && index >= facts.devices)
    return {{health::problem, "CUDA", "--device " + device + ": " + seen,
             "The last one is cuda:" + std::to_string(facts.devices - 1) + "."}};
  return {{health::ok, "CUDA", seen}};
}

}  // namespace support
