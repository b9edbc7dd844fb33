// Independent jobs side by side, one thread of LibTorch each: searches are too small to share one search among cores.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "errors.hpp"

namespace support {

/// Runs all jobs on `workers` threads, in order of their start. After an exception none is begun any more; the first one is thrown on
/// when those under way have ended, but one that is no ended_early goes before those that are.
inline void run_side_by_side(const std::vector<std::function<void()>>& jobs, int workers) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure, stopped;
  std::mutex guard;
  const auto work = [&] {
    at::set_num_threads(1);  // of this thread's parallel regions
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      try {
        jobs[i]();
      } catch (const ended_early&) {
        const std::lock_guard lock(guard);
        if (!stopped) stopped = std::current_exception();
        next = jobs.size();
      } catch (...) {
        const std::lock_guard lock(guard);
        if (!failure) failure = std::current_exception();
        next = jobs.size();
      }
    }
  };
  std::vector<std::thread> threads;
  const auto count = std::min(static_cast<std::size_t>(std::max(workers, 1)), jobs.size());
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
  for (auto& t : threads) t.join();
  if (failure) std::rethrow_exception(failure);
  if (stopped) std::rethrow_exception(stopped);
}

/// How many jobs this machine runs side by side.
inline int default_workers() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace support
