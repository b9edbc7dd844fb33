// How many records has a CIFAR file, and what is in them? One label byte (CIFAR-100: coarse, then fine) and 3072
// pixels, red plane first, rows of 32 (https://www.cs.toronto.edu/~kriz/cifar.html). Free of LibTorch.
#pragma once

#include <array>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>

namespace crispnas::detail {

struct cifar_layout {
  int label_bytes;  // before the pixels
  int label_at;     // which of them counts
  int classes;
};

inline constexpr std::int64_t cifar_pixels = std::int64_t{3} * 32 * 32;

inline std::int64_t cifar_record_bytes(const cifar_layout& layout) {
  return cifar_pixels + layout.label_bytes;
}

/// The number of records of a file of `size` bytes; `name` is what messages call it. Throws `error` where they are not whole.
inline std::int64_t cifar_record_count(std::int64_t size, const cifar_layout& layout,
                                       const std::string& name) {
  const std::int64_t record = cifar_record_bytes(layout);
  if (size == 0) throw error("CIFAR: " + name + " is empty. Fetch it again.");
  if (size % record != 0) {
    const std::string whole = std::to_string(size / record);
    throw error("CIFAR: " + name + " is truncated or not in the binary format: " + std::to_string(size) +
                " bytes are " + whole + " whole records of " + std::to_string(record) + " and " +
                std::to_string(size % record) + " left over, so record " + whole +
                " is incomplete. Fetch it again.");
  }
  return size / record;
}

/// Reads `count` records: their pixels, one after the other, and their labels. Throws `error`.
inline void read_cifar_records(std::istream& stream, std::int64_t count, const cifar_layout& layout,
                               const std::string& name, std::uint8_t* pixel, std::int64_t* label) {
  for (std::int64_t r = 0; r < count; ++r, pixel += cifar_pixels, ++label) {
    std::array<char, 2> head{};
    stream.read(head.data(), layout.label_bytes);
    stream.read(reinterpret_cast<char*>(pixel), cifar_pixels);
    if (!stream) {
      throw error("CIFAR: " + name + " ended within record " + std::to_string(r) + " of " +
                  std::to_string(count) + ". Is something still writing it?");
    }
    *label = static_cast<unsigned char>(head[static_cast<std::size_t>(layout.label_at)]);
    if (*label >= layout.classes) {
      throw error("CIFAR: " + name + ", record " + std::to_string(r) + ": label " + std::to_string(*label) +
                  " is outside 0.." + std::to_string(layout.classes - 1) +
                  ". The file is damaged, or not CIFAR-" + (layout.label_bytes == 1 ? "10" : "100") +
                  " in the binary format. Fetch it again.");
    }
  }
}

}  // namespace crispnas::detail
