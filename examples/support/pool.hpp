// Independent jobs side by side, one thread of LibTorch each: searches are too small to share one search among cores.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "errors.hpp"

namespace support {

/// How a thread is started; tests have others, which fail.
using thread_starter = std::function<std::thread(std::function<void()>)>;
inline std::thread start_thread(std::function<void()> work) { return std::thread(std::move(work)); }

/// Runs all jobs on `workers` threads, in order of their start. After an exception none is begun any more; the first one is thrown on
/// when those under way have ended, but one that is no ended_early goes before those that are. Where the system starts fewer threads, those
/// do all of the work; where it starts none, it throws crispnas::error.
inline void run_side_by_side(const std::vector<std::function<void()>>& jobs, int workers,
                             const thread_starter& start = start_thread) {
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
  threads.reserve(count);
  try {
    while (threads.size() < count) threads.push_back(start(work));
  } catch (const std::exception& e) {
    if (threads.empty()) {
      throw crispnas::error("the system starts no thread to work on (" + message_of_exception(e) +
                            "). Raise the limit of processes (ulimit -u), or end others.");
    }
    std::fprintf(stderr, "%zu instead of %zu side by side: the system starts no more threads (%s).\n",
                 threads.size(), count, message_of_exception(e).c_str());
  }
  for (auto& t : threads) t.join();
  if (failure) std::rethrow_exception(failure);
  if (stopped) std::rethrow_exception(stopped);
}

/// How many jobs this machine runs side by side.
inline int default_workers() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace support
