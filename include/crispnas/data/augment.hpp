// How do resident bytes become a batch? In one pass: crop, flip, normalize, cut out, each as DARTS does it
// (padding is black and cropped before normalization, cutout is 0 after it). What happens to an image depends
// on (seed, epoch, its index) alone: not on the batch it is in, nor on the order in which batches are made,
// nor on threads.
#pragma once

#include <c10/util/StringUtil.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <crispnas/data/dataset.hpp>
#include <crispnas/data/random.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <span>
#include <vector>

namespace crispnas {

/// What is done to training images, beside normalization. The default is the one of the searches of DARTS and
/// the paper.
struct augmentation {
  int crop_padding =
      4;  // pixels of black around the image, out of which a random window of its own size is cut; 0: none
  bool flip = true;  // mirror left and right, half of the time
  int cutout =
      0;  // side of the square that is set to 0, clipped at the border (DARTS retrains with 16); 0: none
};

/// For evaluation: normalization and nothing else.
inline constexpr augmentation normalize_only{.crop_padding = 0, .flip = false, .cutout = 0};

/// The random choices for one image: output pixel (y, x), before the flip, comes from input pixel (y +
/// shift_y, x + shift_x); rows cut_top..cut_bottom-1 and columns cut_left..cut_right-1 of the output are 0.
struct augmentation_draw {
  std::int64_t shift_y = 0, shift_x = 0;
  bool flip = false;
  std::int64_t cut_top = 0, cut_bottom = 0, cut_left = 0, cut_right = 0;
};

/// The choices for image `index` in `epoch`. All numbers are always drawn, so that switching one of the
/// options on or off leaves the others as they were.
inline augmentation_draw draw_augmentation(const augmentation& options, std::int64_t height,
                                           std::int64_t width, std::uint64_t seed, std::int64_t epoch,
                                           std::int64_t index) {
  counter_random random(seed, random_stream::augmentation, static_cast<std::uint64_t>(epoch),
                        static_cast<std::uint64_t>(index));
  const auto below = [&](std::int64_t n) -> std::int64_t {
    return random.below(static_cast<std::uint32_t>(n));
  };
  augmentation_draw draw;
  draw.shift_y = below(2 * options.crop_padding + 1) - options.crop_padding;
  draw.shift_x = below(2 * options.crop_padding + 1) - options.crop_padding;
  draw.flip = random.coin() && options.flip;
  const std::int64_t top = below(height) - options.cutout / 2, left = below(width) - options.cutout / 2;
  draw.cut_top = std::clamp<std::int64_t>(top, 0, height);
  draw.cut_bottom = std::clamp<std::int64_t>(top + options.cutout, 0, height);
  draw.cut_left = std::clamp<std::int64_t>(left, 0, width);
  draw.cut_right = std::clamp<std::int64_t>(left + options.cutout, 0, width);
  return draw;
}

namespace detail {

// `value` maps a byte to its normalized value: a table, so that the result is the same whatever the compiler
// contracts.
template <class Scalar>
void augment_plane(const std::uint8_t* in, Scalar* out, std::int64_t height, std::int64_t width,
                   const std::array<Scalar, 256>& value, const augmentation_draw& draw) {
  const std::int64_t from =
      std::clamp<std::int64_t>(-draw.shift_x, 0, width);  // columns from..to-1 hold image,
  const std::int64_t to = std::clamp<std::int64_t>(width - draw.shift_x, from, width);  // the others padding
  for (std::int64_t y = 0; y < height; ++y, out += width) {
    const std::int64_t source = y + draw.shift_y;
    if (source < 0 || source >= height) {
      std::fill(out, out + width, value[0]);
    } else {
      const std::uint8_t* row = in + source * width;
      if (draw.flip) {
        std::fill(out, out + (width - to), value[0]);
        for (std::int64_t x = from; x < to; ++x) out[width - 1 - x] = value[row[x + draw.shift_x]];
        std::fill(out + (width - from), out + width, value[0]);
      } else {
        std::fill(out, out + from, value[0]);
        for (std::int64_t x = from; x < to; ++x) out[x] = value[row[x + draw.shift_x]];
        std::fill(out + to, out + width, value[0]);
      }
    }
    if (y >= draw.cut_top && y < draw.cut_bottom)
      std::fill(out + draw.cut_left, out + draw.cut_right, Scalar{0});
  }
}

template <class Scalar>
void augment_into(torch::Tensor& out, const torch::Tensor& images, std::span<const std::int64_t> indices,
                  const normalization& norm, const augmentation& options, std::uint64_t seed,
                  std::int64_t epoch) {
  const std::int64_t channels = images.size(1), height = images.size(2), width = images.size(3);
  std::vector<std::array<Scalar, 256>> values(norm.mean.size());
  for (std::size_t c = 0; c < values.size(); ++c) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      values[c][byte] =
          static_cast<Scalar>((static_cast<double>(byte) / 255 - norm.mean[c]) / norm.stddev[c]);
    }
  }
  const auto* in = images.const_data_ptr<std::uint8_t>();
  auto* target = out.mutable_data_ptr<Scalar>();
  for (const std::int64_t index : indices) {
    const auto draw = draw_augmentation(options, height, width, seed, epoch, index);
    for (std::int64_t c = 0; c < channels; ++c, target += height * width) {
      augment_plane(in + (index * channels + c) * height * width, target, height, width,
                    values[static_cast<std::size_t>(c)], draw);
    }
  }
}

}  // namespace detail

/// Throws `error` if an option is negative, or too large to mean anything.
inline void check_augmentation(const augmentation& options) {
  constexpr int most = 1 << 16;
  if (options.crop_padding < 0 || options.crop_padding > most || options.cutout < 0 ||
      options.cutout > most) {
    throw error(c10::str("augmentation: crop_padding = ", options.crop_padding,
                         " and cutout = ", options.cutout, " are to be between 0 (off) and ", most, "."));
  }
}

/// A batch [B, C, H, W] (float32 or float64, on the CPU) of `indices` into `images` (uint8 [N, C, H, W]). One
/// thread, so that a prefetching thread does not start a pool of its own. Throws `error`.
inline torch::Tensor augment(const torch::Tensor& images, std::span<const std::int64_t> indices,
                             const normalization& norm, const augmentation& options, std::uint64_t seed,
                             std::int64_t epoch, torch::Dtype dtype = torch::kFloat) {
  if (images.dim() != 4 || images.scalar_type() != torch::kByte || !images.device().is_cpu()) {
    throw error(c10::str("augment: images are to be uint8 of shape [N, C, H, W] on the CPU, not ",
                         images.scalar_type(), " of shape ", images.sizes(), " on ", images.device(), "."));
  }
  detail::check_normalization(norm, images.size(1));
  check_augmentation(options);
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= images.size(0)) {
      throw error(c10::str("augment: image ", index, " is asked for, but there are images 0 up to ",
                           images.size(0), "."));
    }
  }
  if (dtype != torch::kFloat && dtype != torch::kDouble) {
    throw error(c10::str("augment: batches are float32 or float64, not ", dtype, "."));
  }
  const auto bytes = images.contiguous();
  auto out = torch::empty(
      {static_cast<std::int64_t>(indices.size()), bytes.size(1), bytes.size(2), bytes.size(3)}, dtype);
  if (dtype == torch::kFloat) {
    detail::augment_into<float>(out, bytes, indices, norm, options, seed, epoch);
  } else {
    detail::augment_into<double>(out, bytes, indices, norm, options, seed, epoch);
  }
  return out;  // [B, C, H, W]
}

}  // namespace crispnas
