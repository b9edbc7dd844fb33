// Where do kernels keep what they need for one block of images? In a buffer of the thread that is reused ever
// after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace crispnas::kernels {

/// A stack of aligned memory. After the first blocks of the largest kernel it allocates nothing.
class scratch {
 public:
  /// The calling thread's, empty.
  static scratch& of_this_thread() {
    thread_local scratch mine;
    mine.restart();
    return mine;
  }

  /// Memory for n scalars, not initialized; valid until the thread's next of_this_thread().
  template <class T>
  T* take(std::int64_t n) {
    const std::size_t bytes =
        (static_cast<std::size_t>(n) * sizeof(T) + alignment - 1) / alignment * alignment;
    total_ += bytes;
    if (chunks_.empty() || chunks_.back().used + bytes > chunks_.back().size) chunks_.emplace_back(bytes);
    chunk& last = chunks_.back();
    auto* p = reinterpret_cast<T*>(last.memory.get() + last.used);
    last.used += bytes;
    return p;
  }
  /// The same, filled with zeros.
  template <class T>
  T* zeros(std::int64_t n) {
    T* p = take<T>(n);
    std::memset(static_cast<void*>(p), 0, static_cast<std::size_t>(n) * sizeof(T));
    return p;
  }

 private:
  static constexpr std::size_t alignment = 64;
  struct release {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{alignment}); }
  };
  struct chunk {
    explicit chunk(std::size_t bytes)
        : memory(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{alignment}))),
          size(bytes) {}
    std::unique_ptr<std::byte[], release> memory;
    std::size_t size;
    std::size_t used = 0;
  };

  void restart() {
    if (chunks_.size() >
        1) {  // the last user needed more than there was: one piece for all of it from now on
      chunks_.clear();
      chunks_.emplace_back(total_);
    }
    if (!chunks_.empty()) chunks_.back().used = 0;
    total_ = 0;
  }

  std::vector<chunk> chunks_;
  std::size_t total_ = 0;
};

}  // namespace crispnas::kernels
