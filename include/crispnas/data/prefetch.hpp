// How does the next batch get ready while this one is computed? One batch ahead, on a thread of its own. As
// batches depend on nothing but their number, the results are those of `batches` itself.
#pragma once

#include <crispnas/data/loader.hpp>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace crispnas {

class prefetched_batches {
 public:
  explicit prefetched_batches(batches source) : source_(std::make_shared<const batches>(std::move(source))) {
    start();
  }

  /// How many batches there are, those that were taken among them.
  std::int64_t size() const { return source_->size(); }

  /// The next batch, or nothing after the last. What went wrong on the thread is thrown here; after that
  /// there is nothing.
  std::optional<batch> next() {
    if (!pending_.valid()) return std::nullopt;
    std::optional<batch> ready(pending_.get());
    start();
    return ready;
  }

 private:
  void start() {
    if (at_ >= source_->size()) return;
    // The future's destructor waits for the thread, and the thread holds the source: nothing can dangle.
    pending_ = std::async(std::launch::async, [source = source_, i = at_] { return source->batch(i); });
    ++at_;
  }

  std::shared_ptr<const batches> source_;
  std::int64_t at_ = 0;
  std::future<batch> pending_;
};

}  // namespace crispnas
