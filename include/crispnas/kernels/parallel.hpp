// How do blocks of images share the processor? Threads take one block after another. The template
// at::parallel_for is serial in programs that are not compiled with OpenMP, and a second OpenMP runtime or
// pool would compete with the threads of LibTorch's own operations, which spin while they wait. So the
// threads are those of the OpenMP runtime that LibTorch has loaded; without one, those of ATen's inter-op
// pool. No compiler flag is needed.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

#if defined(__linux__)
#include <dlfcn.h>
#endif

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

/// Runs function(data) on `threads` threads and waits for them: OpenMP's `parallel`, as GCC and Clang call
/// it.
using openmp_parallel = void (*)(void (*function)(void*), void* data, unsigned threads, unsigned flags);

/// That of the runtime in this process; null if there is none.
inline openmp_parallel loaded_openmp() {
#if defined(__linux__)
  static const auto found = reinterpret_cast<openmp_parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  return found;
#else
  return nullptr;
#endif
}

template <class Body>
struct block_work {
  block_queue& queue;
  const Body& body;
  static void run(void* data) {
    const auto& mine = *static_cast<block_work*>(data);
    mine.queue.work(mine.body);
  }
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
  if (const auto parallel = detail::loaded_openmp()) {
    detail::block_work<Body> work{*queue, body};
    parallel(&detail::block_work<Body>::run, &work, static_cast<unsigned>(threads), 0);
    queue->wait();
    return;
  }
  for (std::int64_t i = 1; i < threads; ++i) {
    at::launch([queue, &body] {
      queue->work(body);
    });  // `body` is used only while a block is left, and then we wait
  }
  queue->work(body);
  queue->wait();
}

}  // namespace crispnas::kernels
