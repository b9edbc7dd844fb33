// Would a search run here, and if not, why? Versions, processor, libraries that were really loaded, GPUs and why none is seen, data sets,
// room, and a self-test of a few seconds. Exit code 0 where a search would run as it is asked for, 1 where not.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>
#include <zlib.h>

#include <crispnas/crispnas.hpp>
#include <crispnas/kernels/vec.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "support/cli.hpp"
#include "support/datasets.hpp"
#include "support/doctor/data_files.hpp"
#include "support/doctor/findings.hpp"
#include "support/doctor/loaded_libraries.hpp"
#include "support/doctor/machine.hpp"
#include "support/doctor/self_test.hpp"
#include "support/doctor/why_no_cuda.hpp"

namespace {

using support::findings;
using support::health;

struct doctor_flags {
  std::string data;
  std::string device = "cpu";
  std::string out = ".";
  bool json = false;
};

/// The value of "TORCH_VERSION=2.11.0, " in what LibTorch tells of itself.
std::string loaded_version(const std::string& told) {
  constexpr std::string_view key = "TORCH_VERSION=";
  const auto at = told.find(key);
  if (at == std::string::npos) return "unknown";
  return told.substr(at + key.size(), told.find_first_of(", \n", at) - at - key.size());
}

findings version_findings(const std::string& told) {
  const std::string loaded = loaded_version(told);
  const std::string compiled = TORCH_VERSION;
  findings all{{health::ok, "crispnas", CRISPNAS_VERSION}};
  const bool same = loaded == "unknown" || loaded.starts_with(compiled) || compiled.starts_with(loaded);
  all.push_back({same ? health::ok : health::problem, "LibTorch",
                 fmt::format("compiled against {}, loaded {}", compiled, loaded),
                 same ? "" : "Build against the LibTorch that is loaded, or look at LD_LIBRARY_PATH."});
  const std::string compiler =
#if defined(__clang__)
      fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
      fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
  all.push_back({health::ok, "compiler",
                 fmt::format("{}, C++{}, C++ ABI {} (std::string of {})", compiler, __cplusplus / 100 % 100,
                             __GXX_ABI_VERSION, _GLIBCXX_USE_CXX11_ABI ? "C++11" : "before C++11")});
  const bool same_zlib = ZLIB_VERSION[0] == ::zlibVersion()[0];
  all.push_back({same_zlib ? health::ok : health::problem, "zlib",
                 fmt::format("compiled against {}, loaded {}", ZLIB_VERSION, ::zlibVersion()),
                 same_zlib ? "" : "Build again."});
  return all;
}

findings processor_findings() {
  findings all{{health::ok, "processor", support::cpu_name()},
               {health::ok, "vector flags", support::vector_flags()}};
  const int bytes = crispnas::kernels::vector_bytes();
  const char* lowered = std::getenv("CRISPNAS_VECTOR_BYTES");
  all.push_back({bytes > 16 ? health::ok : health::warning, "vector width",
                 fmt::format("{} bytes in the fused kernels{}, {} in LibTorch", bytes,
                             lowered != nullptr ? " (CRISPNAS_VECTOR_BYTES)" : "", at::get_cpu_capability()),
                 bytes > 16 ? "" : "The fused kernels are fast with AVX2 and FMA."});
  const int threads = at::get_num_threads();
  const int usable = support::usable_processors();
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  all.push_back(
      {threads <= usable ? health::ok : health::warning, "threads",
       fmt::format("{}; {} processors of {} can be used{}", threads, usable,
                   std::thread::hardware_concurrency(),
                   wanted != nullptr ? fmt::format("; OMP_NUM_THREADS={}", wanted) : ""),
       threads <= usable
           ? ""
           : fmt::format("More threads than processors wait for one another: set OMP_NUM_THREADS={}.",
                         usable)});
  return all;
}

/// The folder that was asked for is to be well; without one, some folder is.
findings all_data_findings(const std::string& asked) {
  if (!asked.empty()) {
    auto found = support::data_findings(asked);
    if (found.empty()) {
      return {{health::problem, "data", fmt::format("'{}' holds no data set that is known here", asked),
               "Name the folder of Fashion-MNIST's IDX files, of CIFAR's .bin files, or one with train and "
               "val."}};
    }
    return found;
  }
  auto all = support::data_findings(support::fashion_mnist_folder);
  if (const char* tests = std::getenv("CRISPNAS_TEST_DATA")) {
    for (auto& f : support::data_findings(tests)) {
      if (f.state == health::problem) f.state = health::warning;  // of the tests, which say NOT TESTED
      all.push_back(std::move(f));
    }
  }
  if (all.empty()) {
    all.push_back({health::problem, "data", fmt::format("no data set in '{}'", support::fashion_mnist_folder),
                   "Name one by --data DIR; on Debian: apt-get install dataset-fashion-mnist."});
  }
  return all;
}

int run(const doctor_flags& flags) {
  support::parse_device(flags.device, 1000);  // whether it can be the name of one
  const std::string told = at::show_config();
  findings all = version_findings(told);
  add(all, processor_findings());
  const auto libraries = support::loaded_libraries();
  add(all, support::library_findings(libraries));
  const auto torch = std::filesystem::path(support::loaded_path(libraries, "libtorch_cpu")).parent_path();
  auto cuda = support::look_for_cuda(torch);
  cuda.linked = at::hasCUDA() || !support::loaded_path(libraries, "libtorch_cuda").empty();
  cuda.runtime_version = support::cuda_of_libtorch(told);
  cuda.devices = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  add(all, support::cuda_findings(cuda, flags.device));
  add(all, support::memory_findings(support::available_memory()));
  add(all, support::room_findings(flags.out));
  add(all, support::limit_findings());
  add(all, all_data_findings(flags.data));
  const bool has_device = flags.device == "cpu" || cuda.devices > 0;
  if (has_device && !support::any_problem(support::cuda_findings(cuda, flags.device)))
    add(all, support::self_test(support::parse_device(flags.device)));
  const bool fine = !support::any_problem(all);
  if (flags.json) {
    fmt::print("{}\n", support::to_json(all).dump(2));
  } else {
    fmt::print(
        "{}\n{}\n", support::to_text(all),
        fine ? "A search would run." : "A search would not run: see the lines that begin with \"problem\".");
  }
  return fine ? 0 : support::exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  doctor_flags flags;
  CLI::App app{"Says whether a search would run here, and why not: exit code 0 or 1."};
  app.option_defaults()->always_capture_default();
  app.add_option(
      "--data", flags.data,
      "folder of a data set that is to be well (default: Debian's Fashion-MNIST, and CRISPNAS_TEST_DATA)");
  app.add_option("--device", flags.device, "that is to be there: cpu, cuda, cuda:N");
  app.add_option("--out", flags.out, "folder that results are to be written to");
  app.add_flag("--json", flags.json, "the same as JSON");
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("crispnas-doctor", [&] { return run(flags); });
}
