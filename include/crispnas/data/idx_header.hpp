// What does the beginning of an IDX file promise, and is that what follows? Magic number and big-endian sizes
// (http://yann.lecun.com/exdb/mnist), checked against the bytes that are there before anything is allocated.
// Free of LibTorch.
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace crispnas {

/// What a file of images holds: unsigned bytes [images][height][width] behind a header of 16 bytes.
struct idx_image_sizes {
  std::uint64_t images = 0, height = 0, width = 0;
};

namespace detail {

inline constexpr std::uint32_t idx_images_magic = 0x803;  // unsigned bytes, 3 dimensions
inline constexpr std::uint32_t idx_labels_magic = 0x801;  // unsigned bytes, 1 dimension
inline constexpr std::size_t idx_images_header = 16;
inline constexpr std::size_t idx_labels_header = 8;

inline std::uint32_t idx_word(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | std::to_integer<std::uint32_t>(bytes[4 * at + i]);
  return word;
}

[[noreturn]] inline void refuse_idx(std::string_view name, const std::string& what) {
  throw error("IDX: " + std::string(name) + what);
}

inline void check_idx_magic(std::span<const std::byte> bytes, std::uint32_t wanted, std::string_view name) {
  const bool images = wanted == idx_images_magic;
  const std::size_t header = images ? idx_images_header : idx_labels_header;
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}) {
    refuse_idx(name, " is compressed with gzip. Decompress it first.");
  }
  if (bytes.size() < header) {
    refuse_idx(name, " is truncated: " + std::to_string(bytes.size()) + " bytes, less than its header of " +
                         std::to_string(header) + ". Fetch it again.");
  }
  const std::uint32_t magic = idx_word(bytes, 0);
  if (magic == wanted) return;
  const bool swapped = magic == (images ? idx_labels_magic : idx_images_magic);
  refuse_idx(name, " has the wrong magic number " + std::to_string(magic) + " where " +
                       std::to_string(wanted) + " marks " + (images ? "images" : "labels") + ". " +
                       (swapped ? "Images and labels seem to be swapped."
                                : "It is not an IDX file of bytes; fetch it again."));
}

inline void check_idx_size(std::span<const std::byte> bytes, std::size_t header, std::uint64_t wanted,
                           std::string_view name) {
  const std::uint64_t there = bytes.size() - header;
  if (there == wanted) return;
  refuse_idx(name, (there < wanted ? " is truncated" : " has bytes left over") +
                       (": its header promises " + std::to_string(wanted)) + " bytes of data and " +
                       std::to_string(there) + " follow. Fetch it again.");
}

}  // namespace detail

/// The sizes of the images held in `bytes`, whose pixels follow the header exactly. Throws `error` that calls the file `name`.
inline idx_image_sizes check_idx_images(std::span<const std::byte> bytes, std::string_view name) {
  detail::check_idx_magic(bytes, detail::idx_images_magic, name);
  const idx_image_sizes sizes{detail::idx_word(bytes, 1), detail::idx_word(bytes, 2),
                              detail::idx_word(bytes, 3)};
  const auto [n, h, w] = sizes;
  constexpr std::uint64_t max_side = 0xffff;  // so that n * h * w cannot overflow
  if (n == 0 || h == 0 || w == 0 || h > max_side || w > max_side) {
    detail::refuse_idx(name, " promises " + std::to_string(n) + " images of " + std::to_string(h) + " x " +
                                 std::to_string(w) + " pixels, which cannot be. Fetch it again.");
  }
  detail::check_idx_size(bytes, detail::idx_images_header, n * h * w, name);
  return sizes;
}

/// The labels held in `bytes`, one byte each, all below `classes`. Throws `error` that calls the file `name`.
inline std::span<const std::byte> check_idx_labels(std::span<const std::byte> bytes, std::string_view name,
                                                   std::int64_t classes) {
  detail::check_idx_magic(bytes, detail::idx_labels_magic, name);
  detail::check_idx_size(bytes, detail::idx_labels_header, detail::idx_word(bytes, 1), name);
  const auto labels = bytes.subspan(detail::idx_labels_header);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = std::to_integer<std::int64_t>(labels[i]);
    if (label >= classes) {
      detail::refuse_idx(name, ", record " + std::to_string(i) + ": label " + std::to_string(label) +
                                   " is outside 0.." + std::to_string(classes - 1) +
                                   ". The file is damaged, or has another number of classes than " +
                                   std::to_string(classes) + ".");
    }
  }
  return labels;
}

}  // namespace crispnas
