// Does a search work here from end to end? A tiny one, its cut, the fused kernels against LibTorch's operations, a checkpoint written and
// put back, in a few seconds.
#pragma once

#include <fmt/format.h>
#include <torch/types.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <crispnas/crispnas.hpp>
#include <crispnas/io/checkpoints.hpp>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "../errors.hpp"
#include "findings.hpp"

namespace support {

namespace detail {

struct probe_spec : crispnas::spec<crispnas::edges_3_of_14> {};

/// The same images everywhere.
inline crispnas::labelled_images probe_images(std::int64_t count) {
  const auto pixels =
      (torch::arange(count * 3 * 16 * 16) * 7919 % 256).to(torch::kByte).view({count, 3, 16, 16});
  return {pixels, torch::arange(count) % 10, 10};
}

inline crispnas::supernet_options probe_network(std::uint64_t seed, at::Device device,
                                                crispnas::compute_path path) {
  crispnas::supernet_options options;
  options.channels = 8;
  options.cells = 3;
  options.seed = seed;
  options.device = device;
  options.path = path;
  return options;
}

/// A new folder for files, removed at the end.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "crispnas-doctor-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw crispnas::error("no folder can be made in '" + std::filesystem::temp_directory_path().string() +
                            "'. Set TMPDIR to one that can be written to.");
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The largest difference of two tensors as a share of the largest element; not finite where something is not.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const auto other = b.to(a.device());
  return (a - other).abs().max().item<double>() / std::max(a.abs().max().item<double>(), 1e-30);
}

}  // namespace detail

inline findings self_test(at::Device device) {
  namespace cn = crispnas;
  findings all;
  const auto step = [&](const char* what, const std::function<std::string()>& body) {
    const auto begin = std::chrono::steady_clock::now();
    try {
      const std::string said = body();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      all.push_back({health::ok, what, fmt::format("{} ({:.1f} s)", said, seconds.count())});
    } catch (const std::exception& e) {
      all.push_back({health::problem, what, message_of_exception(e),
                     "With the table above, this is a report of a fault in crispnas."});
    }
  };
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) throw cn::error(what);
  };
  const auto data = detail::probe_images(128);
  cn::search_options options;
  options.epochs = 2;
  options.batch_size = 16;

  cn::supernet<detail::probe_spec> net(detail::probe_network(1, device, cn::compute_path::automatic));
  cn::searcher search(net, options);
  step("self-test: search", [&] {
    double loss = NAN;
    for (const auto& epoch : search.run(data)) loss = epoch.train_loss;
    require(std::isfinite(loss), "the loss is not finite");
    return fmt::format("2 epochs of 4 steps, C = 8, 3 cells, {}: loss {:.3f}",
                       net.is_fused() ? "fused kernels" : "LibTorch's operations", loss);
  });
  step("self-test: cut", [&] {
    const auto found = cn::discretize(net);
    require(found.normal.count == 3 && found.reduction.count == 3,
            "the cut keeps another number of edges than 3");
    const auto gap = cn::discretization_gap(net, found, data);
    require(std::isfinite(gap.before) && std::isfinite(gap.after), "accuracy is not a number");
    return "3 of 14 edges, a genotype comes out";
  });
  step("self-test: agreement", [&] {
    const at::NoGradGuard no_grad;
    const auto images =
        (torch::arange(4 * 3 * 16 * 16) * 7919 % 256).to(torch::kFloat).view({4, 3, 16, 16}) / 128 - 1;
    cn::supernet<detail::probe_spec> stock(detail::probe_network(2, at::kCPU, cn::compute_path::stock));
    cn::supernet<detail::probe_spec> fused(detail::probe_network(2, at::kCPU, cn::compute_path::fused));
    const auto expected = stock.forward(images);
    double worst = detail::relative_difference(expected, fused.forward(images));
    std::string who = "fused kernels and LibTorch's operations";
    if (!device.is_cpu()) {
      cn::supernet<detail::probe_spec> other(detail::probe_network(3, device, cn::compute_path::stock));
      for (const auto& p : other.named_parameters()) p.value().copy_(stock.named_parameters()[p.key()]);
      for (std::size_t i = 0; i < stock.arch().named().size(); ++i) {
        at::Tensor to = other.arch().named()[i].second;
        to.copy_(stock.arch().named()[i].second);
      }
      worst = std::max(worst, detail::relative_difference(expected, other.forward(images.to(device))));
      who += ", CPU and " + device.str();
    }
    require(worst < 1e-3, fmt::format("{} differ by {:.2g} of the largest logit", who, worst));
    return fmt::format("{}: within {:.1g} of the largest logit", who, worst);
  });
  step("self-test: checkpoint", [&] {
    const detail::scratch_folder folder;
    const cn::checkpoint_options how{.configuration = {{"program", "crispnas-doctor"}},
                                     .device = device.str()};
    cn::checkpoints saved(folder.path(), how);
    const auto state = search.state();
    saved.save(state, search.position_text());
    cn::supernet<detail::probe_spec> other(detail::probe_network(4, device, cn::compute_path::automatic));
    cn::searcher again(other, options);
    const auto copy = again.state();
    require(saved.load(copy).has_value(), "there is no checkpoint after it was saved");
    const auto before = state.values();
    const auto after = copy.values();
    require(before.size() == after.size(), "another state comes back");
    for (std::size_t i = 0; i < before.size(); ++i) {
      require(before[i].first == after[i].first && at::equal(before[i].second, after[i].second),
              "'" + before[i].first + "' comes back with other values");
    }
    return fmt::format("{} values saved, checked, put back bit for bit", before.size());
  });
  return all;
}

}  // namespace support
