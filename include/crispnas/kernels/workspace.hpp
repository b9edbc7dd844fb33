// Where does the memory of intermediate tensors come from? From blocks that are kept and used again, so that a
// search asks the system for memory in its first steps only; large ones on Linux in huge pages, which the
// many streams of the kernels need.
#pragma once

#include <ATen/Functions.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace crispnas::kernels {

/// The system has no block of so many bytes.
class no_memory : public std::bad_alloc {
 public:
  explicit no_memory(std::size_t bytes) : bytes_(bytes) {}
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
};

/// Memory for tensors, reused. One for the process; safe to use from several threads.
class workspace {
 public:
  static workspace& of_process() {
    static auto* shared = new workspace;  // never destroyed: tensors may outlive static objects
    return *shared;
  }

  /// A tensor that is not initialized and gives its memory back here. Throws no_memory.
  at::Tensor take(at::IntArrayRef sizes, const at::TensorOptions& options) {
    std::size_t bytes = options.dtype().itemsize();
    for (const auto size : sizes) bytes *= static_cast<std::size_t>(size);
    // Small blocks come in powers of two, large ones in multiples of a unit.
    const std::size_t size =
        bytes < unit ? std::bit_ceil(std::max(bytes, smallest)) : (bytes + unit - 1) / unit * unit;
    void* memory = find(size);
    return at::from_blob(
        memory, sizes, [this](void* p) { give_back(p); }, options);
  }

  /// How often the system was asked for memory. It stands still in the steady state.
  std::int64_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// Returns what no tensor uses to the system.
  void release() {
    const std::lock_guard lock(mutex_);
    for (const auto& [size, memory] : unused_) {
      taken_.erase(memory);
      std::free(memory);
    }
    unused_.clear();
  }

 private:
  static constexpr std::size_t smallest = 256;
  static constexpr std::size_t unit = std::size_t{1} << 18;
  static constexpr std::size_t huge_page = std::size_t{1} << 21;
  using blocks = std::multimap<std::size_t, void*>;

  void* find(std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto fit = unused_.lower_bound(size);
    if (fit != unused_.end() && fit->first <= size + size / 4) {
      void* memory = fit->second;
      taken_.at(memory) = unused_.extract(fit);
      return memory;
    }
    const std::size_t alignment = size >= huge_page ? huge_page : size >= unit ? 4096 : 64;
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) throw no_memory(rounded);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == huge_page) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    ++requests_;
    taken_[memory] = unused_.extract(unused_.emplace(size, memory));
    return memory;
  }

  void give_back(void* memory) {
    const std::lock_guard lock(mutex_);
    unused_.insert(std::move(taken_.at(memory)));
  }

  std::mutex mutex_;
  blocks unused_;  ///< by size
  std::map<void*, blocks::node_type>
      taken_;  ///< of every block: its place among the unused, while it is used
  std::int64_t requests_ = 0;
};

/// A tensor like t from the workspace.
inline at::Tensor workspace_like(const at::Tensor& t) {
  return workspace::of_process().take(t.sizes(), t.options());
}

/// Zeros from the workspace.
inline at::Tensor workspace_zeros(at::IntArrayRef sizes, const at::TensorOptions& options) {
  at::Tensor t = workspace::of_process().take(sizes, options);
  std::memset(t.data_ptr(), 0, t.nbytes());
  return t;
}

}  // namespace crispnas::kernels
