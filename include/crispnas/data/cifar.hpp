// How are CIFAR-10 and CIFAR-100 read? From their binary versions
// (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label byte (CIFAR-100: coarse, then fine) and
// 3072 pixels, red plane first, rows of 32. Any number of whole records and any number of files will do.
#pragma once

#include <torch/types.h>

#include <crispnas/data/cifar_records.hpp>
#include <crispnas/data/dataset.hpp>
#include <crispnas/data/file.hpp>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace crispnas {

/// Which label of a CIFAR-100 record to use.
enum class cifar100_labels { coarse, fine };

/// The most images that the readers accept, in all files together: 17 times the 60,000 of the real data sets.
inline constexpr std::int64_t cifar_max_images = 1 << 20;

namespace detail {

inline labelled_images read_cifar(const std::vector<std::filesystem::path>& files,
                                  const cifar_layout& layout) {
  if (files.empty()) throw error("CIFAR: no files are named. Name at least one.");

  std::vector<std::int64_t> counts;
  std::int64_t total = 0;
  for (const auto& path : files) {
    const auto room = (cifar_max_images - total) * cifar_record_bytes(layout);
    const auto size = static_cast<std::int64_t>(data_file_size(path, static_cast<std::uint64_t>(room)));
    counts.push_back(cifar_record_count(size, layout, quoted(path)));
    total += counts.back();
  }

  auto images = torch::empty({total, 3, 32, 32}, torch::kByte);
  auto labels = torch::empty({total}, torch::kLong);
  auto* pixel = images.mutable_data_ptr<std::uint8_t>();
  auto* label = labels.mutable_data_ptr<std::int64_t>();
  for (std::size_t f = 0; f < files.size(); ++f) {
    auto stream = open_data_file(files[f]);
    read_cifar_records(stream, counts[f], layout, quoted(files[f]), pixel, label);
    pixel += counts[f] * cifar_pixels;
    label += counts[f];
  }
  return {std::move(images), std::move(labels), layout.classes};
}

}  // namespace detail

/// The records of all `files`, in that order. Throws `error` that names the file, the record and what to do.
inline labelled_images read_cifar10(const std::vector<std::filesystem::path>& files) {
  return detail::read_cifar(files, {.label_bytes = 1, .label_at = 0, .classes = 10});
}

/// The same for CIFAR-100: 100 fine classes, or 20 coarse ones.
inline labelled_images read_cifar100(const std::vector<std::filesystem::path>& files,
                                     cifar100_labels which = cifar100_labels::fine) {
  const bool fine = which == cifar100_labels::fine;
  return detail::read_cifar(files, {.label_bytes = 2, .label_at = fine ? 1 : 0, .classes = fine ? 100 : 20});
}

}  // namespace crispnas
