// What is a data set? Images as bytes, kept in memory as they are, with labels, the number of classes, and
// the numbers that normalize each channel. Anything that answers these five questions can be searched on.
#pragma once

#include <c10/util/StringUtil.h>
#include <torch/types.h>

#include <cmath>
#include <concepts>
#include <crispnas/error.hpp>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace crispnas {

/// The contract of a data set:
///   images()          uint8 tensor [N, C, H, W] on the CPU, contiguous if batches are to be cheap
///   labels()          int64 tensor [N] on the CPU, each in [0, classes())
///   classes()         number of classes
///   mean(), stddev()  one number per channel, where a byte of 255 counts as 1
/// A data set of your own is a struct with these five functions; `check_dataset` says what is wrong with it.
template <class T>
concept dataset = requires(const T& data) {
  { data.images() } -> std::convertible_to<torch::Tensor>;
  { data.labels() } -> std::convertible_to<torch::Tensor>;
  { data.classes() } -> std::convertible_to<std::int64_t>;
  { data.mean() } -> std::convertible_to<std::vector<double>>;
  { data.stddev() } -> std::convertible_to<std::vector<double>>;
};

/// What a batch subtracts and divides by, per channel, in units where 255 is 1.
struct normalization {
  std::vector<double> mean;
  std::vector<double> stddev;
};

namespace detail {

inline void check_images(const torch::Tensor& images, const torch::Tensor& labels, std::int64_t classes) {
  if (!images.defined() || !labels.defined())
    throw error("data set: images or labels are missing (an undefined tensor).");
  if (!images.device().is_cpu() || !labels.device().is_cpu()) {
    throw error("data set: images and labels live on the CPU; batches are moved to the device one by one.");
  }
  if (images.dim() != 4 || images.scalar_type() != torch::kByte) {
    throw error(c10::str("data set: images are to be uint8 of shape [N, C, H, W], not ", images.scalar_type(),
                         " of shape ", images.sizes(), "."));
  }
  if (images.numel() == 0) throw error(c10::str("data set: no images (shape ", images.sizes(), ")."));
  if (images.size(0) > std::numeric_limits<std::uint32_t>::max()) {
    throw error(
        c10::str("data set: ", images.size(0), " images are more than the 2^32 - 1 that a shuffle handles."));
  }
  if (labels.dim() != 1 || labels.scalar_type() != torch::kLong || labels.size(0) != images.size(0)) {
    throw error(c10::str("data set: labels are to be int64 of shape [", images.size(0),
                         "], one per image, not ", labels.scalar_type(), " of shape ", labels.sizes(), "."));
  }
  if (classes < 1)
    throw error(c10::str("data set: the number of classes is ", classes, "; give at least 1."));
  const auto contiguous = labels.contiguous();
  const auto* label = contiguous.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < contiguous.size(0); ++i) {
    if (label[i] < 0 || label[i] >= classes) {
      throw error(c10::str("data set: label ", label[i], " of image ", i, " is outside 0..", classes - 1,
                           ". Correct the label, or the number of classes (", classes, ")."));
    }
  }
}

inline void check_normalization(const normalization& norm, std::int64_t channels) {
  const auto wanted = static_cast<std::size_t>(channels);
  if (norm.mean.size() != wanted || norm.stddev.size() != wanted) {
    throw error(c10::str("data set: images have ", channels, " channels, but there are ", norm.mean.size(),
                         " means and ", norm.stddev.size(), " standard deviations; give one per channel."));
  }
  for (std::size_t c = 0; c < wanted; ++c) {
    if (!std::isfinite(norm.mean[c]) || !std::isfinite(norm.stddev[c]) || norm.stddev[c] <= 0) {
      throw error(c10::str("data set: channel ", c, " has mean ", norm.mean[c], " and standard deviation ",
                           norm.stddev[c], "; both are to be finite, the second above 0."));
    }
  }
}

}  // namespace detail

/// Throws `error` that says which part of the contract `data` breaks. Reads labels, not pixels: cheap.
template <dataset D>
void check_dataset(const D& data) {
  const torch::Tensor& images = data.images();
  detail::check_images(images, data.labels(), data.classes());
  detail::check_normalization({data.mean(), data.stddev()}, images.size(1));
}

/// Mean and (population) standard deviation of every channel of `images` (uint8 [N, C, H, W]), exact up to
/// the last division. A channel that never changes gets 1 for its deviation: normalized, it is 0 everywhere.
inline normalization measure_normalization(const torch::Tensor& images) {
  const auto bytes = images.contiguous();
  const std::int64_t channels = bytes.size(1), area = bytes.size(2) * bytes.size(3);
  std::vector<std::uint64_t> sum(static_cast<std::size_t>(channels)),
      squares(static_cast<std::size_t>(channels));
  const auto* pixel = bytes.const_data_ptr<std::uint8_t>();
  for (std::int64_t plane = 0; plane < bytes.size(0) * channels; ++plane, pixel += area) {
    std::uint64_t plane_sum = 0, plane_squares = 0;
    for (std::int64_t i = 0; i < area; ++i) {
      const std::uint64_t value = pixel[i];
      plane_sum += value;
      plane_squares += value * value;
    }
    sum[static_cast<std::size_t>(plane % channels)] += plane_sum;
    squares[static_cast<std::size_t>(plane % channels)] += plane_squares;
  }
  normalization norm;
  const double count = static_cast<double>(bytes.size(0)) * static_cast<double>(area);
  for (std::size_t c = 0; c < sum.size(); ++c) {
    const double mean = static_cast<double>(sum[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    norm.mean.push_back(mean / 255);
    norm.stddev.push_back(variance > 0 ? std::sqrt(variance) / 255 : 1.0);
  }
  return norm;
}

struct dataset_halves;

/// A data set in memory. Copies and parts share the tensors. Parts keep the normalization of the whole.
class labelled_images {
 public:
  /// images: uint8 [N, C, H, W]; labels: int64 [N]. Without `norm`, the images themselves are measured.
  /// Throws `error`.
  labelled_images(torch::Tensor images, torch::Tensor labels, std::int64_t classes, normalization norm = {})
      : images_(std::move(images)), labels_(std::move(labels)), classes_(classes), norm_(std::move(norm)) {
    detail::check_images(images_, labels_, classes_);
    images_ = images_.contiguous();
    labels_ = labels_.contiguous();
    if (norm_.mean.empty() && norm_.stddev.empty()) norm_ = measure_normalization(images_);
    detail::check_normalization(norm_, images_.size(1));
  }

  const torch::Tensor& images() const { return images_; }
  const torch::Tensor& labels() const { return labels_; }
  std::int64_t classes() const { return classes_; }
  const std::vector<double>& mean() const { return norm_.mean; }
  const std::vector<double>& stddev() const { return norm_.stddev; }
  std::int64_t size() const { return images_.size(0); }

  /// Throws `error` if the tensors no longer meet the contract (they are shared, so others can write to
  /// them).
  void check() const { check_dataset(*this); }

  /// The same images, normalized as `other` is: a test set goes by the numbers of its training set.
  labelled_images normalized_like(const labelled_images& other) const {
    return {images_, labels_, classes_, other.norm_};
  }

  /// Images begin..end-1; an empty or impossible range throws `error`.
  labelled_images subset(std::int64_t begin, std::int64_t end) const {
    if (begin < 0 || end > size() || begin >= end) {
      throw error(c10::str("data set: images ", begin, " up to ", end,
                           " are asked for, but there are images 0 up to ", size(),
                           "; ask for a range of at least one image within."));
    }
    return {images_.narrow(0, begin, end - begin), labels_.narrow(0, begin, end - begin), classes_, norm_};
  }

  /// The first n images.
  labelled_images head(std::int64_t n) const { return subset(0, n); }

  /// The two halves of a bilevel search, in the order of the images: mix a data set that is sorted by class first.
  /// With an odd number the second has one more. Throws `error` where the halves are of different classes.
  dataset_halves halves() const;

 private:
  torch::Tensor images_, labels_;
  std::int64_t classes_;
  normalization norm_;
};

/// The first half trains the weights, the second one alpha and beta.
struct dataset_halves {
  labelled_images weights;
  labelled_images architecture;
};

inline dataset_halves labelled_images::halves() const {
  if (size() < 2) throw error("data set: a single image cannot be halved; a search needs at least 2.");
  dataset_halves parts{subset(0, size() / 2), subset(size() / 2, size())};
  std::vector<bool> first(static_cast<std::size_t>(classes_)), second(first);
  std::int64_t shared = 0, present = 0;
  const auto* label = labels_.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < size(); ++i) {
    (i < size() / 2 ? first : second)[static_cast<std::size_t>(label[i])] = true;
  }
  for (std::size_t c = 0; c < first.size(); ++c) {
    shared += first[c] && second[c];
    present += first[c] || second[c];
  }
  // One class can lie across the middle of a sorted set.
  if (present >= 4 && shared <= 1) {
    throw error(c10::str(
        "data set: of ", present, " classes ", shared,
        " are in both halves of the images, so the set is sorted by ",
        "class. Mix it first, with one order for images and labels (index_select of at::randperm)."));
  }
  return parts;
}

static_assert(dataset<labelled_images>,
              "crispnas::labelled_images: it must meet the contract of a data set above.");

}  // namespace crispnas
