// Which shared libraries run in this process, really? Two of what there is to be one of (LibTorch, OpenMP) explain much that cannot be
// explained otherwise.
#pragma once

#include <link.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "findings.hpp"

namespace support {

/// Real paths of what the dynamic linker has loaded, without repetitions.
inline std::vector<std::string> loaded_libraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        if (info->dlpi_name == nullptr || info->dlpi_name[0] == '\0') return 0;
        std::error_code code;
        const auto real = std::filesystem::canonical(info->dlpi_name, code);
        static_cast<std::vector<std::string>*>(to)->push_back(code ? info->dlpi_name : real.string());
        return 0;
      },
      &paths);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

/// "libgomp" of "/usr/lib/libgomp-98b21ff3.so.1.0.0".
inline std::string library_stem(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  return name.substr(0, std::min(name.find(".so"), name.find('-')));
}

/// The first loaded library of that stem; empty where there is none.
inline std::string loaded_path(const std::vector<std::string>& paths, std::string_view stem) {
  const auto place =
      std::find_if(paths.begin(), paths.end(), [&](const auto& path) { return library_stem(path) == stem; });
  return place == paths.end() ? std::string() : *place;
}

/// Those that matter to a search, and what is there more than once.
inline findings library_findings(const std::vector<std::string>& paths) {
  findings all;
  for (const char* stem : {"libtorch", "libtorch_cpu", "libtorch_cuda", "libc10", "libc10_cuda"}) {
    std::string found;
    int count = 0;
    for (const auto& path : paths) {
      if (library_stem(path) == stem) found += (count++ == 0 ? "" : " and ") + path;
    }
    if (count == 1) all.push_back({health::ok, stem, found});
    if (count > 1) {
      all.push_back({health::problem, stem, found,
                     "Two LibTorches in one process do not work. Look at LD_LIBRARY_PATH and LD_PRELOAD."});
    }
  }
  std::string found;
  int count = 0;
  for (const auto& path : paths) {
    const auto stem = library_stem(path);
    if (stem == "libgomp" || stem == "libomp" || stem == "libiomp5")
      found += (count++ == 0 ? "" : " and ") + path;
  }
  if (count == 0)
    all.push_back({health::warning, "OpenMP", "none is loaded", "LibTorch computes on one thread."});
  if (count == 1) all.push_back({health::ok, "OpenMP", found});
  if (count > 1) {
    all.push_back({health::warning, "OpenMP", found,
                   "Each has its own threads, which stand in one another's way. Let LD_LIBRARY_PATH find "
                   "LibTorch's first, or set OMP_NUM_THREADS."});
  }
  for (const char* stem : {"libz", "libjpeg"}) {
    const auto path = loaded_path(paths, stem);
    if (!path.empty()) all.push_back({health::ok, stem, path});
  }
  return all;
}

}  // namespace support
