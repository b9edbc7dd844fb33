// What does the cut cost? Accuracy on held-out images before and after it (table 4, "acc. drop").
#pragma once

#include <crispnas/data/loader.hpp>
#include <crispnas/discretize/cut.hpp>
#include <crispnas/nn/mode_guard.hpp>
#include <crispnas/search/out_of_memory.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace crispnas {

/// Percent of right answers with the given weights; batch-norm statistics as they are. Leaves the mode of the network as it was. Throws
/// out_of_memory.
inline double accuracy(any_supernet& net, const network_weights& weights, const batches& data) {
  at::NoGradGuard no_grad;
  const nn::mode_guard measured(net, false);
  std::int64_t images = 0;  // in a batch
  std::int64_t correct = 0;
  std::int64_t count = 0;
  within_memory(
      [&] {
        for (const auto& b : data) {
          images = b.labels.size(0);
          correct += (net.forward(b.images, weights).argmax(1) == b.labels).sum().item<std::int64_t>();
          count += images;
        }
      },
      [&] { return evaluation_advice(net.weight_count(), images); });
  return count == 0 ? 0.0 : 100.0 * double(correct) / double(count);
}

/// The same with the super-network's own soft weights.
inline double accuracy(any_supernet& net, const batches& data) {
  return accuracy(net, net.arch().fixed_weights(), data);
}

/// Accuracies in percent. The headline is `before` -> `after`: held-out images, kept ops and edges at weight 1, batch-norm
/// statistics as they are, ops and edges both cut. The others stand beside it.
struct discretization_gap_report {
  double before = 0.0;
  double after = 0.0;
  double ops_cut = 0.0;           ///< only the ops are cut
  double edges_cut = 0.0;         ///< only the edges are cut
  double after_soft_edges = 0.0;  ///< both cut, kept edges at their soft weight
  std::optional<double>
      after_reestimated;  ///< both cut, batch-norm statistics measured again on calibration images
  double lost() const { return before - after; }
};

namespace detail {

/// Statistics of batch norm that are put back bit for bit, also when an exception ends it.
class returning_buffers {
 public:
  explicit returning_buffers(const any_supernet& net) {
    for (const auto& buffer : net.buffers()) saved_.emplace_back(buffer, buffer.clone());
  }
  returning_buffers(const returning_buffers&) = delete;
  returning_buffers& operator=(const returning_buffers&) = delete;
  ~returning_buffers() {
    at::NoGradGuard no_grad;
    for (auto& [buffer, old] : saved_) buffer.copy_(old);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> saved_;
};

/// Measures the batch-norm statistics of the cut network on `calibration`, evaluates, and puts the old ones back.
inline double reestimated_accuracy(any_supernet& net, const network_weights& weights,
                                   const batches& calibration, const batches& held_out) {
  at::NoGradGuard no_grad;
  const returning_buffers statistics(net);
  const nn::mode_guard measured(net, true);
  // Running statistics forget by 0.1 a batch: after 50 batches what was there before weighs 0.5 %.
  constexpr int passes_at_least = 50;
  std::int64_t images = 0;  // in a batch
  within_memory(
      [&] {
        for (std::int64_t i = 0; i < passes_at_least; ++i) {
          const batch b = calibration.batch(i % calibration.size());
          images = b.labels.size(0);
          net.forward(b.images, weights);
        }
      },
      [&] { return evaluation_advice(net.weight_count(), images); });
  return accuracy(net, weights, held_out);
}

}  // namespace detail

/// The gap of one cut. `calibration`: images for re-estimating batch-norm statistics, if that is wanted. Throws out_of_memory; the network
/// is then as it was, too.
inline discretization_gap_report measure_gap(any_supernet& net, const network_cut& cut,
                                             const batches& held_out, const batches* calibration = nullptr) {
  at::NoGradGuard no_grad;
  const network_weights soft = net.arch().fixed_weights();
  const auto with = [&](cut_part part, bool at_one) {
    return cut_weights(net.space(), cut, soft, part, at_one);
  };
  discretization_gap_report report;
  report.before = accuracy(net, soft, held_out);
  report.after = accuracy(net, with(cut_part::both, true), held_out);
  report.ops_cut = accuracy(net, with(cut_part::ops, true), held_out);
  report.edges_cut = accuracy(net, with(cut_part::edges, true), held_out);
  report.after_soft_edges = accuracy(net, with(cut_part::both, false), held_out);
  if (calibration != nullptr) {
    report.after_reestimated =
        detail::reestimated_accuracy(net, with(cut_part::both, true), *calibration, held_out);
  }
  return report;
}

}  // namespace crispnas
