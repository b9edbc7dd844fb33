// How good is a trained network? Top-1 and top-5 on images that it was not trained on.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/derived/derived_network.hpp>
#include <crispnas/nn/mode_guard.hpp>
#include <crispnas/search/out_of_memory.hpp>
#include <crispnas/train/autocast.hpp>
#include <cstdint>
#include <utility>

namespace crispnas {

struct evaluation {
  double top1 = 0.0;  ///< percent of images whose label has the largest logit
  double top5 =
      0.0;  ///< percent of images whose label is among the five largest; of fewer classes: among all
  double loss = 0.0;  ///< mean cross entropy, without label smoothing
  std::int64_t images = 0;
};

/// In eval mode (running statistics, no dropped paths, no auxiliary head); leaves the mode of the network as it was. `data`: batches on
/// the network's device, as of sequential_batches; labels below the network's classes; `workers`: threads that make them ahead. Throws
/// crispnas::error for numbers that the network cannot compute in, and out_of_memory.
inline evaluation evaluate(any_derived_network& net, batch_source data, precision numbers = precision::full,
                           int workers = 1) {
  check_precision(numbers, net.options().device, net.options().dtype);
  at::NoGradGuard no_grad;
  const nn::mode_guard measured(net, false);
  evaluation result;
  at::Tensor loss, first, five;
  std::int64_t images = 0;  // in a batch
  within_memory(
      [&] {
        const auto options = at::TensorOptions().device(net.options().device).dtype(at::kDouble);
        loss = at::zeros({}, options);
        first = at::zeros({}, options);
        five = at::zeros({}, options);
        prefetched_batches ahead(std::move(data), workers);
        while (const auto b = ahead.next()) {
          images = b->labels.size(0);
          if (images == 0) continue;  // none of its images could be read
          at::Tensor logits;
          {
            const autocast_guard cast(numbers, b->images.device());
            logits = net.forward(b->images).logits;
          }
          logits = logits.to(at::kDouble);
          loss += at::cross_entropy_loss(logits, b->labels, {}, at::Reduction::Sum);
          const auto best = std::get<1>(logits.topk(std::min<std::int64_t>(5, logits.size(1)), 1));
          const at::Tensor right = best == b->labels.unsqueeze(1);  // [batch, 5]
          first += right.select(1, 0).sum();
          five += right.sum();
          result.images += images;
        }
      },
      [&] { return evaluation_advice(net.weight_count(), images); });
  if (result.images == 0)
    throw error("crispnas::evaluate: there is no image to measure by. Give it at least one.");
  // Divided last: 1 / 123 is rounded up, and 123 right answers of 123 are 100 percent, not more.
  result.top1 = 100.0 * first.item<double>() / double(result.images);
  result.top5 = 100.0 * five.item<double>() / double(result.images);
  result.loss = loss.item<double>() / double(result.images);
  return result;
}

}  // namespace crispnas
