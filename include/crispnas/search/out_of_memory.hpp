// What if memory runs out? The allocators' exceptions become one error that says what was asked for, what is in use
// and what to change; what was taken is given back, so that the process can go on with less.
#pragma once

#include <c10/util/Exception.h>

#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <cstdint>
#include <exception>
#include <fstream>
#include <new>
#include <string>
#include <string_view>

namespace crispnas {

/// Too little memory, of the machine or of the device. The step that asked for it is not done, or half of it is (alpha and beta of a
/// bilevel step): begin again, or from a checkpoint, with less.
struct out_of_memory : error {
  using error::error;
};

/// The memory of this process that is resident now, and at most so far, in bytes; 0 where the system does not say.
struct memory_in_use {
  std::uint64_t now = 0;
  std::uint64_t peak = 0;

  static memory_in_use of_process() {
    memory_in_use use;
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      std::uint64_t* const to = word == "VmRSS:" ? &use.now : word == "VmHWM:" ? &use.peak : nullptr;
      if (to != nullptr && status >> *to) *to *= 1024;
    }
    return use;
  }
};

namespace detail {

/// The first line of what an exception of LibTorch says; what follows is a backtrace.
inline std::string first_line(std::string_view what) { return std::string(what.substr(0, what.find('\n'))); }

inline bool tells_of_memory(std::string_view what) {
  for (const std::string_view words :
       {"can't allocate memory", "not enough memory", "out of memory", "STATUS_ALLOC_FAILED"}) {
    if (what.find(words) != std::string_view::npos) return true;
  }
  return false;
}

/// oneDNN's exceptions have no type that LibTorch's headers show. What it cannot do at all it says of the descriptor, before; here a
/// buffer or the page for its code was missing.
inline bool tells_of_memory_in_onednn(std::string_view what) {
  return what == "could not create a primitive" || what == "could not create a memory object" ||
         what == "could not create a memory";
}

/// "you tried to allocate N bytes" of LibTorch's CPU allocator, or its whole line.
inline std::string what_was_asked(std::string_view what) {
  constexpr std::string_view words = "tried to allocate ";
  const auto place = what.find(words);
  if (place == std::string_view::npos) return first_line(what);
  std::uint64_t bytes = 0;
  auto at = place + words.size();
  for (; at < what.size() && what[at] >= '0' && what[at] <= '9'; ++at)
    bytes = 10 * bytes + static_cast<std::uint64_t>(what[at] - '0');
  return what.substr(at).starts_with(" bytes") ? bytes_text(bytes) + " were asked for" : first_line(what);
}

template <class Advice>
[[noreturn]] void throw_out_of_memory(std::string_view asked, Advice&& advice) {
  const auto use = memory_in_use::of_process();
  kernels::workspace::of_process().release();
  throw out_of_memory("there is not enough memory: " + std::string(asked) + "; the process holds " +
                      bytes_text(use.now) + " (at most " + bytes_text(use.peak) + " so far). " + advice());
}

}  // namespace detail

/// What `body` returns. Where memory runs out in it: throws out_of_memory; `advice()` is what to change.
template <class Body, class Advice>
auto within_memory(Body&& body, Advice&& advice) {
  std::string asked;  // an exception ends, and with it what it holds, before memory is given back
  try {
    return body();
  } catch (const kernels::no_memory& e) {
    asked = bytes_text(e.bytes()) + " were asked for, for what the kernels keep of a pass";
  } catch (const std::bad_alloc&) {
    asked = "a tensor between two passes, or a buffer, could not be allocated";
  } catch (const c10::Error& e) {
    const bool device = dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr;
    if (!device && !detail::tells_of_memory(e.what_without_backtrace())) throw;
    asked = detail::what_was_asked(e.what_without_backtrace());
  } catch (const std::exception& e) {
    if (!detail::tells_of_memory_in_onednn(e.what())) throw;
    asked = "oneDNN " + detail::first_line(e.what());
  }
  detail::throw_out_of_memory(asked, advice);
}

/// What to change where an evaluation does not fit, in batches of so many images (0: not even the first was made).
inline std::string evaluation_advice(std::int64_t weights, std::int64_t images) {
  return "This was an evaluation of a network of " + std::to_string(weights) + " weights" +
         (images > 0 ? ", in batches of " + std::to_string(images) + " images" : std::string()) +
         ". It keeps nothing from one pass to the next, and its batches need not be those of the training: "
         "make "
         "them smaller, or take fewer channels or cells.";
}

/// What to change where a pass of a super-network does not fit.
inline std::string memory_advice(const any_supernet& net, std::int64_t batch_size) {
  const auto& o = net.options();
  std::uint64_t bytes = 0;
  for (const auto& p : net.parameters()) bytes += p.nbytes();
  return "The super-network has " + std::to_string(net.weight_count()) + " weights (" + bytes_text(bytes) +
         "), channels = " + std::to_string(o.channels) + ", cells = " + std::to_string(o.cells) +
         ", K = " + std::to_string(net.space().partial) + "; batch_size = " + std::to_string(batch_size) +
         ". Most memory holds what passes keep of each image: take a smaller batch_size, a larger K "
         "(partial_channels), "
         "or fewer channels or cells.";
}

}  // namespace crispnas
