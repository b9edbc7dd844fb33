// Where do batches come from? Anything that can make batch i of an epoch: images in memory, or files that are decoded as they are
// needed.
#pragma once

#include <algorithm>
#include <crispnas/data/loader.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace crispnas {

/// A list of batches, each made when it is asked for. `make` may be called by several threads, in any order, and gives the same each
/// time.
struct batch_source {
  std::int64_t size = 0;
  std::function<batch(std::int64_t)> make;

  batch_source(std::int64_t count, std::function<batch(std::int64_t)> maker)
      : size(count), make(std::move(maker)) {}
  batch_source(batches source) : size(source.size()) {  // NOLINT(google-explicit-constructor): it is one
    make = [kept = std::make_shared<const batches>(std::move(source))](std::int64_t i) {
      return kept->batch(i);
    };
  }
};

/// The batches of `source` from number `first` on.
inline batch_source batches_from(batch_source source, std::int64_t first) {
  return {std::max<std::int64_t>(source.size - first, 0),
          [make = std::move(source.make), first](std::int64_t i) { return make(first + i); }};
}

/// Images to train on, seen as the batches of each epoch: shuffled and augmented by (seed, epoch) alone.
struct training_set {
  std::int64_t size = 0;  ///< images
  std::int64_t classes = 0;
  std::function<batch_source(const epoch_options&)> epoch;
};

/// A data set in memory as such. Shares its tensors. Throws `error` where it breaks the contract.
template <dataset D>
training_set training_set_of(const D& data) {
  check_dataset(data);
  labelled_images all(data.images(), data.labels(), data.classes(), {data.mean(), data.stddev()});
  const auto size = all.size();
  const auto classes = all.classes();
  return {size, classes, [images = std::move(all)](const epoch_options& options) -> batch_source {
            return epoch_batches(images, options);
          }};
}

}  // namespace crispnas
