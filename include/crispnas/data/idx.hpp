// How are MNIST and Fashion-MNIST read? From their IDX files, uncompressed
// (http://yann.lecun.com/exdb/mnist): a magic number, big-endian sizes, then bytes. The library reads no
// gzip; examples/support shows how to bring it along.
#pragma once

#include <torch/types.h>

#include <crispnas/data/dataset.hpp>
#include <crispnas/data/file.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

namespace crispnas {

/// The most bytes that a file or its header may ask for: 20 times the real training images.
inline constexpr std::uint64_t idx_max_bytes = std::uint64_t{1} << 30;

namespace detail {

inline constexpr std::uint32_t idx_images_magic = 0x803;  // unsigned bytes, 3 dimensions
inline constexpr std::uint32_t idx_labels_magic = 0x801;  // unsigned bytes, 1 dimension

inline std::uint32_t idx_word(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | std::to_integer<std::uint32_t>(bytes[4 * at + i]);
  return word;
}

inline void check_idx_magic(std::span<const std::byte> bytes, std::uint32_t wanted, std::string_view name) {
  const bool images = wanted == idx_images_magic;
  const std::size_t header = images ? 16 : 8;
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}) {
    throw error(c10::str("IDX: ", name, " is compressed with gzip. Decompress it first."));
  }
  if (bytes.size() < header) {
    throw error(c10::str("IDX: ", name, " is truncated: ", bytes.size(), " bytes, less than its header of ",
                         header, ". Fetch it again."));
  }
  const std::uint32_t magic = idx_word(bytes, 0);
  if (magic == wanted) return;
  const bool swapped = magic == (images ? idx_labels_magic : idx_images_magic);
  throw error(c10::str(
      "IDX: ", name, " has the wrong magic number ", magic, " where ", wanted, " marks ",
      images ? "images" : "labels", ". ",
      swapped ? "Images and labels seem to be swapped." : "It is not an IDX file of bytes; fetch it again."));
}

inline void check_idx_size(std::span<const std::byte> bytes, std::size_t header, std::uint64_t wanted,
                           std::string_view name) {
  const std::uint64_t there = bytes.size() - header;
  if (there == wanted) return;
  throw error(c10::str("IDX: ", name, there < wanted ? " is truncated" : " has bytes left over",
                       ": its header promises ", wanted, " bytes of data and ", there,
                       " follow. Fetch it again."));
}

}  // namespace detail

/// Images of an IDX file held in `bytes`: uint8 [N, 1, H, W]. `name` is what messages call it. Throws
/// `error`.
inline torch::Tensor parse_idx_images(std::span<const std::byte> bytes, std::string_view name) {
  detail::check_idx_magic(bytes, detail::idx_images_magic, name);
  const std::uint64_t n = detail::idx_word(bytes, 1), h = detail::idx_word(bytes, 2),
                      w = detail::idx_word(bytes, 3);
  constexpr std::uint64_t max_side = 0xffff;  // so that n * h * w cannot overflow
  if (n == 0 || h == 0 || w == 0 || h > max_side || w > max_side) {
    throw error(c10::str("IDX: ", name, " promises ", n, " images of ", h, " x ", w,
                         " pixels, which cannot be. Fetch it again."));
  }
  detail::check_idx_size(bytes, 16, n * h * w, name);
  auto images = torch::empty(
      {static_cast<std::int64_t>(n), 1, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w)},
      torch::kByte);
  std::memcpy(images.mutable_data_ptr<std::uint8_t>(), bytes.data() + 16, bytes.size() - 16);
  return images;
}

/// Labels of an IDX file held in `bytes`, each below `classes`: int64 [N]. Throws `error`.
inline torch::Tensor parse_idx_labels(std::span<const std::byte> bytes, std::string_view name,
                                      std::int64_t classes) {
  detail::check_idx_magic(bytes, detail::idx_labels_magic, name);
  const std::uint64_t n = detail::idx_word(bytes, 1);
  detail::check_idx_size(bytes, 8, n, name);
  auto labels = torch::empty({static_cast<std::int64_t>(n)}, torch::kLong);
  auto* label = labels.mutable_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < n; ++i) {
    label[i] = std::to_integer<std::int64_t>(bytes[8 + i]);
    if (label[i] >= classes) {
      throw error(c10::str("IDX: ", name, ", record ", i, ": label ", label[i], " is outside 0..",
                           classes - 1, ". The file is damaged, or has another number of classes than ",
                           classes, "."));
    }
  }
  return labels;
}

/// Images and labels together, from bytes in memory (a decompressor's output, say). Throws `error`.
inline labelled_images parse_idx(std::span<const std::byte> image_bytes, std::string_view image_name,
                                 std::span<const std::byte> label_bytes, std::string_view label_name,
                                 std::int64_t classes = 10) {
  auto images = parse_idx_images(image_bytes, image_name);
  auto labels = parse_idx_labels(label_bytes, label_name, classes);
  if (images.size(0) != labels.size(0)) {
    throw error(c10::str("IDX: ", image_name, " holds ", images.size(0), " images, but ", label_name,
                         " holds ", labels.size(0), " labels. Take both from the same set."));
  }
  return {images, labels, classes};
}

/// The same from two uncompressed files. Throws `error`.
inline labelled_images read_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                                std::int64_t classes = 10) {
  return parse_idx(read_data_file(images, idx_max_bytes), images.string(),
                   read_data_file(labels, idx_max_bytes), labels.string(), classes);
}

}  // namespace crispnas
