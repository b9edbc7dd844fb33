// How do blocks of images share the processor? Threads of ATen's inter-op pool take one block after another;
// the caller works, too, and waits only for blocks that are under way, so a processor that others use as well
// costs no more than its share. (The template at::parallel_for is serial in programs that are not compiled
// with OpenMP; this needs no compiler flag.)
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

namespace crispnas::kernels {

namespace detail {

/// Who takes the next block, and who waits for the last one. Helpers that start too late find nothing to do.
class block_queue {
 public:
  explicit block_queue(std::int64_t blocks) : blocks_(blocks) {}

  template <class Body>
  void work(const Body& body) {
    for (std::int64_t block = next_++; block < blocks_; block = next_++) {
      try {
        body(block);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
      }
      if (++done_ == blocks_) {
        const std::lock_guard lock(mutex_);
        finished_.notify_all();
      }
    }
  }
  void wait() {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return done_ == blocks_; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::int64_t blocks_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::int64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable finished_;
  std::exception_ptr failure_;
};

}  // namespace detail

/// body(block) for every block in [0, blocks) on at::get_num_threads() threads, the caller's among them. The
/// caller never waits for a thread that has not started, so a busy pool costs time only. Rethrows what a body
/// throws.
template <class Body>
void parallel_blocks(std::int64_t blocks, const Body& body) {
  const std::int64_t threads =
      at::in_parallel_region() ? 1 : std::min<std::int64_t>(blocks, at::get_num_threads());
  if (threads <= 1) {
    for (std::int64_t block = 0; block < blocks; ++block) body(block);
    return;
  }
  const auto queue = std::make_shared<detail::block_queue>(blocks);
  for (std::int64_t i = 1; i < threads; ++i) {
    at::launch([queue, &body] {
      queue->work(body);
    });  // `body` is used only while a block is left, and then we wait
  }
  queue->work(body);
  queue->wait();
}

}  // namespace crispnas::kernels
