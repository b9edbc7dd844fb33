// Where does the randomness of the data come from? From a counter, not from a generator that is passed along:
// what is drawn for one image depends on (seed, stream, epoch, index) alone, so batches can be made in any
// order, by any thread, and shuffles agree on every standard library (std::shuffle and the std distributions
// do not).
#pragma once

#include <cstdint>

namespace crispnas {

/// Keeps draws made for different purposes independent of each other.
enum class random_stream : std::uint64_t { order = 1, augmentation = 2, dropped_paths = 3, window = 4 };

/// splitmix64 (Steele, Lea, Flood, 2014) started at a hash of (seed, stream, epoch, index).
class counter_random {
 public:
  constexpr counter_random(std::uint64_t seed, random_stream stream, std::uint64_t epoch, std::uint64_t index)
      : state_(mix(mix(mix(mix(seed) + static_cast<std::uint64_t>(stream)) + epoch) + index)) {}

  /// 64 random bits.
  constexpr std::uint64_t bits() {
    state_ += golden;
    return mix(state_);
  }

  /// Uniform in [0, n), without bias (Lemire, 2019); 0 < n.
  constexpr std::uint32_t below(std::uint32_t n) {
    const std::uint32_t threshold = (0U - n) % n;  // 2^32 mod n: the remainders that come up once too often
    for (;;) {
      const std::uint64_t product = (bits() >> 32) * n;
      if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
    }
  }

  /// Uniform in [0, 1): 53 random bits.
  constexpr double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// True half of the time.
  constexpr bool coin() { return (bits() >> 63) != 0; }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;

  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace crispnas
