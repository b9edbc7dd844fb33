// What has this machine to offer, and what does it withhold? Processor, memory, room on the disk, limits of the process and of its
// container.
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <crispnas/io/checked_file.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "../device_name.hpp"
#include "findings.hpp"

namespace support {

namespace detail {
inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

/// The first number in a file of the kernel; `none` where there is none ("max").
inline std::uint64_t number_in(const std::filesystem::path& file, std::uint64_t none) {
  std::ifstream stream(file);
  std::uint64_t value = 0;
  return stream >> value ? value : none;
}
/// The number behind `key` in a file of lines such as "inactive_file 4096"; 0 where there is none.
inline std::uint64_t number_of(const std::filesystem::path& file, std::string_view key) {
  std::ifstream stream(file);
  std::string word;
  for (std::uint64_t value = 0; stream >> word >> value;) {
    if (word == key) return value;
  }
  return 0;
}
}  // namespace detail

/// Those of the processor's flags that kernels of LibTorch or of crispnas ask for.
inline std::string vector_flags() {
  const std::string all = detail::entry_of("/proc/cpuinfo", "flags");
  std::istringstream words(all);
  std::string found;
  for (std::string word; words >> word;) {
    for (const char* wanted : {"sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512vl",
                               "avx512_bf16", "amx_bf16"}) {
      if (word == wanted) found += (found.empty() ? "" : " ") + word;
    }
  }
  return found.empty() ? "unknown" : found;
}

/// Processors that this process may run on, by its affinity and its container's quota.
inline int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  double most = 0;
  double period = 0;
  if (quota >> most >> period && period > 0)
    count = static_cast<int>(std::min<long>(count, std::max(1L, std::lround(most / period))));
  return std::max(count, 1);
}

/// Bytes that can still be had in a container (version 2 of control groups), by the files in `folder`; the largest number where there is
/// no limit. Files that the kernel keeps in memory count as used, but give way to whoever needs their room.
inline std::uint64_t available_in_container(const std::filesystem::path& folder) {
  constexpr auto none = std::numeric_limits<std::uint64_t>::max();
  const auto most = detail::number_in(folder / "memory.max", none);
  if (most == none) return none;
  const auto current = detail::number_in(folder / "memory.current", 0);
  const auto kept = detail::number_of(folder / "memory.stat", "inactive_file") +
                    detail::number_of(folder / "memory.stat", "active_file");
  const auto used = current - std::min(current, kept);
  return most - std::min(most, used);
}

/// Bytes that can still be had: of the machine, of the container, of the process.
inline std::uint64_t available_memory() {
  std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
  const std::string free = detail::entry_of("/proc/meminfo", "MemAvailable");
  std::uint64_t kibi = 0;
  if (std::from_chars(free.data(), free.data() + free.size(), kibi).ec == std::errc())
    available = kibi * 1024;
  available = std::min(available, available_in_container("/sys/fs/cgroup"));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    available = std::min<std::uint64_t>(available, limit.rlim_cur);
  return available;
}

inline findings memory_findings(std::uint64_t available) {
  const std::string found = crispnas::bytes_text(available) + " available";
  if (available < 512 * detail::mebibyte)
    return {{health::problem, "memory", found,
             "The smallest search takes half a GiB. End other programs, or raise the limit."}};
  if (available < 4096 * detail::mebibyte)
    return {{health::warning, "memory", found, "Enough for small searches; the paper's takes several GiB."}};
  return {{health::ok, "memory", found}};
}

/// Can results be written to `folder`, and how much? It need not be there yet.
inline findings room_findings(std::filesystem::path folder) {
  std::error_code code;
  folder = std::filesystem::absolute(folder, code).lexically_normal();
  auto there = folder;
  while (!std::filesystem::exists(there, code) && there.has_parent_path() && there != there.parent_path())
    there = there.parent_path();
  const std::string what = "room for results";
  // Tried, not asked for: permissions say nothing to root, and nothing of file systems that take no files.
  std::string probe = (there / ".crispnas-doctor-XXXXXX").string();
  if (::mkdtemp(probe.data()) == nullptr)
    return {{health::problem, what, "'" + there.string() + "' cannot be written to",
             "Name another folder: --out DIR."}};
  ::rmdir(probe.c_str());
  const auto space = std::filesystem::space(there, code);
  if (code) return {{health::warning, what, "'" + there.string() + "': " + code.message()}};
  const std::string found = crispnas::bytes_text(space.available) + " free in '" + there.string() + "'";
  if (space.available < 64 * detail::mebibyte)
    return {{health::problem, what, found,
             "A checkpoint of the paper's super-network takes 20 MiB, and two are kept."}};
  if (space.available < 1024 * detail::mebibyte)
    return {{health::warning, what, found, "Checkpoints and reports need some."}};
  return {{health::ok, what, found}};
}

/// ulimits that searches have stumbled over.
inline findings limit_findings() {
  const auto of = [](auto resource) {
    rlimit limit{};
    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
  };
  const auto text = [](rlim_t value, bool bytes) {
    return value == RLIM_INFINITY ? std::string("unlimited")
           : bytes                ? crispnas::bytes_text(value)
                                  : std::to_string(value);
  };
  const auto files = of(RLIMIT_NOFILE);
  const auto size = of(RLIMIT_FSIZE);
  const auto memory = of(RLIMIT_AS);
  const std::string found = "open files " + text(files, false) + ", file size " + text(size, true) +
                            ", address space " + text(memory, true) + ", stack " +
                            text(of(RLIMIT_STACK), true);
  if (files < 64 || size < 64 * detail::mebibyte)
    return {{health::problem, "ulimits", found, "Raise them: ulimit -n 1024, ulimit -f unlimited."}};
  if (files < 256 || size != RLIM_INFINITY || memory != RLIM_INFINITY)
    return {{health::warning, "ulimits", found, "A long search may reach them (ulimit -n, -f, -v)."}};
  return {{health::ok, "ulimits", found}};
}

}  // namespace support
