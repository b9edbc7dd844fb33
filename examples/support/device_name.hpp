// On what was it measured? The name of the processor or the GPU, to stand beside times.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace support {

namespace detail {
/// What follows "key ... : " in the first line that begins with `key`; empty where there is none.
inline std::string entry_of(const std::filesystem::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const auto colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const auto first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? std::string() : line.substr(first);
  }
  return {};
}
}  // namespace detail

inline std::string cpu_name() {
  const auto name = detail::entry_of("/proc/cpuinfo", "model name");
  return name.empty() ? "CPU" : name;
}

/// The `index`-th NVIDIA GPU as its driver names it (in the order of the bus).
inline std::string gpu_name(int index) {
  std::vector<std::filesystem::path> folders;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", code))
    folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  if (index < 0 || static_cast<std::size_t>(index) >= folders.size()) return "GPU";
  const auto name = detail::entry_of(folders[static_cast<std::size_t>(index)] / "information", "Model");
  return name.empty() ? "GPU" : name;
}

}  // namespace support
