// Which images are in which batch? For training, a shuffle that depends on (seed, epoch) alone; for
// evaluation, the order of the data set. Batches are made on demand and in any order: batch(7) is the same
// whether or not batch(6) was ever made.
#pragma once

#include <c10/util/StringUtil.h>
#include <torch/types.h>

#include <algorithm>
#include <crispnas/data/augment.hpp>
#include <crispnas/data/dataset.hpp>
#include <crispnas/data/random.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace crispnas {

struct batch {
  torch::Tensor images;               // [B, C, H, W], normalized, on the device
  torch::Tensor labels;               // int64 [B], on the device
  std::vector<std::int64_t> indices;  // where each image lies in the data set
};

/// One epoch of training batches. Two data sets that are read side by side (the halves of a search) deserve
/// two seeds.
struct epoch_options {
  std::int64_t batch_size = 64;
  std::uint64_t seed = 0;
  std::int64_t epoch = 1;
  augmentation augment = {};
  bool drop_last = true;  // leave out the last batch if it is smaller than the others
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat;
};

/// One pass in the order of the data set, normalized only. The last batch may be smaller.
struct sequential_options {
  std::int64_t batch_size = 256;
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat;
};

/// The permutation of 0..n-1 for an epoch (Fisher-Yates), the same on every platform; n < 2^32.
inline std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  counter_random random(seed, random_stream::order, static_cast<std::uint64_t>(epoch), 0);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random.below(static_cast<std::uint32_t>(left))]);
  }
  return order;
}

/// How many batches of `batch_size` (at least 1) there are; without `drop_last` the last one may be smaller.
inline std::int64_t batch_count(std::int64_t images, std::int64_t batch_size, bool drop_last) {
  const bool rest = !drop_last && images % batch_size != 0;
  return images / batch_size + (rest ? 1 : 0);
}

/// A list of batches, each made when it is asked for. Made by `epoch_batches` and `sequential_batches`; it
/// shares the tensors of the data set, which may go out of scope. Threads may share it.
class batches {
 public:
  template <dataset D>
  batches(const D& data, std::vector<std::int64_t> order, epoch_options options)
      : order_(std::move(order)), options_(options) {
    check_dataset(data);
    check_augmentation(options_.augment);
    images_ = torch::Tensor(data.images()).contiguous();
    labels_ = torch::Tensor(data.labels()).contiguous();
    norm_ = {data.mean(), data.stddev()};
    const auto n = static_cast<std::int64_t>(order_.size());
    if (options_.batch_size < 1) {
      throw error(c10::str("batches: batch_size = ", options_.batch_size, "; give at least 1."));
    }
    if (options_.drop_last && options_.batch_size > n) {
      throw error(c10::str(
          "batches: batch_size = ", options_.batch_size, " is larger than the ", n,
          " images there are, so there would be no batch at all. Make it smaller, or give more images."));
    }
    size_ = batch_count(n, options_.batch_size, options_.drop_last);
  }

  /// How many batches there are.
  std::int64_t size() const { return size_; }

  /// Batch i, 0 <= i < size().
  crispnas::batch batch(std::int64_t i) const {
    if (i < 0 || i >= size_)
      throw error(c10::str("batches: batch ", i, " is asked for, but there are ", size_, "."));
    const auto begin = static_cast<std::size_t>(i * options_.batch_size);
    const auto end = std::min(order_.size(), begin + static_cast<std::size_t>(options_.batch_size));
    const auto indices = std::span(order_).subspan(begin, end - begin);
    auto labels = torch::empty({static_cast<std::int64_t>(indices.size())}, torch::kLong);
    auto* target = labels.mutable_data_ptr<std::int64_t>();
    for (const std::int64_t index : indices) *target++ = labels_.const_data_ptr<std::int64_t>()[index];
    auto images =
        augment(images_, indices, norm_, options_.augment, options_.seed, options_.epoch, options_.dtype);
    return {images.to(options_.device), labels.to(options_.device), {indices.begin(), indices.end()}};
  }

  /// `for (const auto& batch : epoch_batches(...))` visits all of them in order.
  class iterator {
   public:
    using value_type = crispnas::batch;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    iterator(const batches* owner, std::int64_t at) : owner_(owner), at_(at) {}
    value_type operator*() const { return owner_->batch(at_); }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(const iterator&) const = default;

   private:
    const batches* owner_ = nullptr;
    std::int64_t at_ = 0;
  };
  iterator begin() const { return {this, 0}; }
  iterator end() const { return {this, size_}; }

 private:
  torch::Tensor images_, labels_;
  normalization norm_;
  std::vector<std::int64_t> order_;
  epoch_options options_;
  std::int64_t size_ = 0;
};

/// The training batches of one epoch: shuffled and augmented. Throws `error`.
template <dataset D>
batches epoch_batches(const D& data, const epoch_options& options) {
  check_dataset(data);
  return {data, epoch_order(torch::Tensor(data.images()).size(0), options.seed, options.epoch), options};
}

/// All images in order, normalized only, for evaluation. Throws `error`.
template <dataset D>
batches sequential_batches(const D& data, const sequential_options& options = {}) {
  check_dataset(data);
  std::vector<std::int64_t> order(static_cast<std::size_t>(torch::Tensor(data.images()).size(0)));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return {data,
          std::move(order),
          {.batch_size = options.batch_size,
           .augment = normalize_only,
           .drop_last = false,
           .device = options.device,
           .dtype = options.dtype}};
}

}  // namespace crispnas
