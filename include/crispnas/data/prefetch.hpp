// How do the next batches get ready while this one is computed? On threads of their own, a few ahead. As batches depend on nothing but
// their number, the results, and their order, are those of the source itself, however many threads there are.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <crispnas/data/batch_source.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace crispnas {

class prefetched_batches {
 public:
  /// `workers` threads make batches, at most workers + 1 ahead; with 0 each is made when it is asked for. Where the system starts fewer
  /// threads (ulimit -u), those make all, and where it starts none it is as with 0.
  explicit prefetched_batches(batch_source source, int workers = 1)
      : state_(std::make_unique<state>(std::move(source))) {
    if (workers < 0) throw error("prefetched_batches: the number of workers is below 0.");
    state_->ahead = workers + 1;
    const auto count = std::min<std::int64_t>(workers, state_->source.size);
    try {
      for (std::int64_t i = 0; i < count; ++i) workers_.emplace_back([s = state_.get()] { work(*s); });
    } catch (const std::system_error&) {
      // The batches are the same.
    } catch (...) {
      stop();
      throw;
    }
  }
  prefetched_batches(prefetched_batches&&) = default;
  prefetched_batches& operator=(prefetched_batches&&) = delete;
  ~prefetched_batches() { stop(); }

  /// How many batches there are, those that were taken among them.
  std::int64_t size() const { return state_->source.size; }

  /// The next batch, or nothing after the last. What went wrong on a thread is thrown here; after that
  /// there is nothing.
  std::optional<batch> next() {
    state& s = *state_;
    if (s.consumed >= s.source.size) return std::nullopt;
    if (workers_.empty()) {
      const std::int64_t i = std::exchange(s.consumed, s.source.size);
      auto made = s.source.make(i);
      s.consumed = i + 1;
      return made;
    }
    std::unique_lock lock(s.guard);
    s.changed.wait(lock, [&] { return s.ready.contains(s.consumed); });
    made_batch made = std::move(s.ready.extract(s.consumed).mapped());
    s.consumed = made.failure ? s.source.size : s.consumed + 1;
    lock.unlock();
    s.changed.notify_all();
    if (made.failure) std::rethrow_exception(made.failure);
    return std::move(made.value);
  }

 private:
  struct made_batch {
    batch value;
    std::exception_ptr failure;
  };
  struct state {
    explicit state(batch_source from) : source(std::move(from)) {}
    batch_source source;
    std::int64_t ahead = 0;
    std::mutex guard;
    std::condition_variable changed;
    std::map<std::int64_t, made_batch> ready;
    std::int64_t started = 0;
    std::int64_t consumed = 0;
    bool stopped = false;
  };

  static void work(state& s) {
    std::unique_lock lock(s.guard);
    for (;;) {
      s.changed.wait(lock, [&] {
        return s.stopped || s.started >= s.source.size || s.consumed >= s.source.size ||
               s.started < s.consumed + s.ahead;
      });
      if (s.stopped || s.started >= s.source.size || s.consumed >= s.source.size) return;
      const std::int64_t i = s.started++;
      lock.unlock();
      made_batch made;
      try {
        made.value = s.source.make(i);
      } catch (...) {
        made.failure = std::current_exception();
      }
      lock.lock();
      s.ready.emplace(i, std::move(made));
      s.changed.notify_all();
    }
  }

  void stop() {
    if (!state_) return;  // moved from
    {
      const std::lock_guard lock(state_->guard);
      state_->stopped = true;
    }
    state_->changed.notify_all();
    for (auto& worker : workers_) worker.join();
    workers_.clear();
  }

  std::unique_ptr<state> state_;
  std::vector<std::thread> workers_;
};

/// The same for a reader that may start anywhere and may go back: batch(i) costs no waiting where i follows the one before.
class batch_stream {
 public:
  /// `workers`: as prefetched_batches has them.
  explicit batch_stream(batch_source source, int workers = 1)
      : source_(std::move(source)), workers_(workers) {}

  std::int64_t size() const { return source_.size; }

  /// Batch i, 0 <= i < size().
  crispnas::batch batch(std::int64_t i) {
    if (!ahead_ || i != next_) {
      ahead_.reset();
      ahead_.emplace(batches_from(source_, i), workers_);
    }
    next_ = i + 1;
    auto ready = ahead_->next();
    if (!ready)
      throw error("batch_stream: batch " + std::to_string(i) + " is asked for, but there are " +
                  std::to_string(source_.size) + ".");
    return std::move(*ready);
  }

 private:
  batch_source source_;
  int workers_;
  std::optional<prefetched_batches> ahead_;
  std::int64_t next_ = 0;
};

}  // namespace crispnas
