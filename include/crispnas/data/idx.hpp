// How are MNIST and Fashion-MNIST read? From their IDX files, uncompressed
// (http://yann.lecun.com/exdb/mnist): a magic number, big-endian sizes, then bytes. The library reads no
// gzip; examples/support shows how to bring it along.
#pragma once

#include <c10/util/StringUtil.h>
#include <torch/types.h>

#include <crispnas/data/dataset.hpp>
#include <crispnas/data/file.hpp>
#include <crispnas/data/idx_header.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

namespace crispnas {

/// The most bytes that a file or its header may ask for: 20 times the real training images.
inline constexpr std::uint64_t idx_max_bytes = std::uint64_t{1} << 30;

/// Images of an IDX file held in `bytes`: uint8 [N, 1, H, W]. `name` is what messages call it. Throws
/// `error`.
inline torch::Tensor parse_idx_images(std::span<const std::byte> bytes, std::string_view name) {
  const auto [n, h, w] = check_idx_images(bytes, name);
  auto images = torch::empty(
      {static_cast<std::int64_t>(n), 1, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w)},
      torch::kByte);
  std::memcpy(images.mutable_data_ptr<std::uint8_t>(), bytes.data() + detail::idx_images_header,
              bytes.size() - detail::idx_images_header);
  return images;
}

/// Labels of an IDX file held in `bytes`, each below `classes`: int64 [N]. Throws `error`.
inline torch::Tensor parse_idx_labels(std::span<const std::byte> bytes, std::string_view name,
                                      std::int64_t classes) {
  const auto values = check_idx_labels(bytes, name, classes);
  auto labels = torch::empty({static_cast<std::int64_t>(values.size())}, torch::kLong);
  auto* label = labels.mutable_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i) label[i] = std::to_integer<std::int64_t>(values[i]);
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
