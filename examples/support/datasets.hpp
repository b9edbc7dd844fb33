// Where are the images? The programs' data sets, found by the usual names of their files in a folder.
#pragma once

#include <algorithm>
#include <crispnas/data/cifar.hpp>
#include <crispnas/data/dataset.hpp>
#include <crispnas/data/idx.hpp>
#include <crispnas/error.hpp>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "gzip.hpp"

// Where Debian's package dataset-fashion-mnist puts its files; the build says so where it knows better.
#ifndef CRISPNAS_FASHION_MNIST_DIR
#define CRISPNAS_FASHION_MNIST_DIR "/usr/share/datasets/fashion-mnist"
#endif

namespace support {

inline constexpr const char* fashion_mnist_folder = CRISPNAS_FASHION_MNIST_DIR;

enum class split { train, test };

/// Training images, and the ones that train nothing, normalized by the numbers of the first.
struct image_splits {
  crispnas::labelled_images train;
  crispnas::labelled_images held_out;
};

namespace detail {

inline void check_data_folder(const std::filesystem::path& folder, const std::string& advice) {
  std::error_code code;
  const std::string name = "data folder '" + folder.string() + "'";
  if (!std::filesystem::exists(folder, code)) throw crispnas::error(name + " does not exist. " + advice);
  if (!std::filesystem::is_directory(folder, code)) {
    throw crispnas::error(name + " is not a folder. Name the folder that holds the files.");
  }
}

// `stem` as it is, or with .gz.
inline std::filesystem::path find_idx(const std::filesystem::path& folder, const std::string& stem,
                                      const std::string& advice) {
  std::error_code code;
  for (const char* ending : {"", ".gz"}) {
    const auto path = folder / (stem + ending);
    if (std::filesystem::exists(path, code)) return path;
  }
  throw crispnas::error("data folder '" + folder.string() + "' holds neither " + stem + " nor " + stem +
                        ".gz. " + advice);
}

inline std::vector<std::filesystem::path> find_batches(const std::filesystem::path& folder,
                                                       const std::string& prefix, const std::string& advice) {
  std::vector<std::filesystem::path> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".bin")) found.push_back(entry.path());
  }
  if (code)
    throw crispnas::error("data folder '" + folder.string() + "' cannot be listed: " + code.message() + ".");
  if (found.empty()) {
    throw crispnas::error("data folder '" + folder.string() + "' holds no " + prefix + "*.bin. " + advice);
  }
  std::sort(found.begin(), found.end());  // directories come in any order; results may not
  return found;
}

}  // namespace detail

namespace detail {
inline crispnas::labelled_images load_idx(const std::filesystem::path& folder, split which,
                                          const std::string& advice) {
  check_data_folder(folder, advice);
  const std::string prefix = which == split::train ? "train" : "t10k";
  const auto images = find_idx(folder, prefix + "-images-idx3-ubyte", advice);
  const auto labels = find_idx(folder, prefix + "-labels-idx1-ubyte", advice);
  return crispnas::parse_idx(read_maybe_gzip(images), images.string(), read_maybe_gzip(labels),
                             labels.string());
}
}  // namespace detail

/// Fashion-MNIST: [60000 or 10000, 1, 28, 28], from IDX files with or without .gz. Throws crispnas::error.
inline crispnas::labelled_images load_fashion_mnist(const std::filesystem::path& folder, split which) {
  return detail::load_idx(folder, which,
                          "On Debian, the package dataset-fashion-mnist brings the files; "
                          "https://github.com/zalandoresearch/fashion-mnist has them too.");
}

/// Both splits of it.
inline image_splits load_fashion_mnist(const std::filesystem::path& folder = fashion_mnist_folder) {
  auto train = load_fashion_mnist(folder, split::train);
  auto held_out = load_fashion_mnist(folder, split::test).normalized_like(train);
  return {std::move(train), std::move(held_out)};
}

/// MNIST, whose files have the names of Fashion-MNIST's. Throws crispnas::error.
inline image_splits load_mnist(const std::filesystem::path& folder) {
  const char* advice = "Get the IDX files of MNIST from http://yann.lecun.com/exdb/mnist or a mirror of it.";
  auto train = detail::load_idx(folder, split::train, advice);
  auto held_out = detail::load_idx(folder, split::test, advice).normalized_like(train);
  return {std::move(train), std::move(held_out)};
}

namespace detail {

/// CIFAR in the binary version, by the beginnings of the names of its files; `read` makes images of files.
template <class Read>
image_splits load_cifar(const std::filesystem::path& folder, const std::string& name, const char* train_files,
                        const char* held_out_files, const Read& read) {
  const std::string advice =
      "Get the binary version of " + name + " from https://www.cs.toronto.edu/~kriz/cifar.html.";
  check_data_folder(folder, advice);
  auto train = read(find_batches(folder, train_files, advice));
  auto held_out = read(find_batches(folder, held_out_files, advice)).normalized_like(train);
  return {std::move(train), std::move(held_out)};
}

}  // namespace detail

/// CIFAR-10 in the binary version: all of data_batch_*.bin and of test_batch*.bin, however many records there
/// are. Throws crispnas::error.
inline image_splits load_cifar10(const std::filesystem::path& folder) {
  return detail::load_cifar(folder, "CIFAR-10", "data_batch_", "test_batch",
                            [](const auto& files) { return crispnas::read_cifar10(files); });
}

/// CIFAR-100 in the binary version, by its 100 fine classes: train.bin and test.bin, however many records there are. Throws
/// crispnas::error.
inline image_splits load_cifar100(const std::filesystem::path& folder) {
  return detail::load_cifar(folder, "CIFAR-100", "train", "test",
                            [](const auto& files) { return crispnas::read_cifar100(files); });
}

}  // namespace support
