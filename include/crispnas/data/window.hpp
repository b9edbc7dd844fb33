// Which part of a photograph does a network see, and how does it become a square of numbers? A random window, resampled, mirrored and with
// its colours moved, in training; the middle, in evaluation (the usual recipe for ImageNet). All choices depend on (seed, epoch, image)
// alone. Nothing here knows a file format.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <crispnas/data/random.hpp>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace crispnas {

/// Part of an image: columns x up to x + width and rows y up to y + height.
struct image_window {
  double x = 0, y = 0, width = 0, height = 0;
};

/// What is done to photographs in training. The defaults are those of DARTS and of the paper's transfer to ImageNet.
struct window_options {
  int side = 224;  ///< of the square that the network gets
  double least_area =
      0.08;  ///< share of the image that the window has at least; its width is 3/4 to 4/3 of its height
  bool flip = true;         ///< mirror left and right, half of the time
  double brightness = 0.4;  ///< factors are drawn from 1 - this to 1 + this; 0: none
  double contrast = 0.4;
  double saturation = 0.4;
  double hue = 0.2;  ///< turn of the colour circle, from - this to + this; at most 0.5
};

/// The random choices for one image.
struct window_draw {
  image_window window;
  bool flip = false;
  double brightness = 1, contrast = 1, saturation = 1, hue = 0;
  std::array<int, 4> order{0, 1, 2, 3};  ///< of brightness, contrast, saturation, hue
};

/// The choices for image `index`, of width x height pixels, in `epoch`.
inline window_draw draw_window(const window_options& options, int width, int height, std::uint64_t seed,
                               std::int64_t epoch, std::int64_t index) {
  counter_random random(seed, random_stream::window, static_cast<std::uint64_t>(epoch),
                        static_cast<std::uint64_t>(index));
  const auto between = [&](double low, double high) { return low + (high - low) * random.unit(); };
  window_draw draw;
  // Colours first: how many draws the window takes depends on the image.
  draw.flip = random.coin() && options.flip;
  draw.brightness = between(std::max(0.0, 1 - options.brightness), 1 + options.brightness);
  draw.contrast = between(std::max(0.0, 1 - options.contrast), 1 + options.contrast);
  draw.saturation = between(std::max(0.0, 1 - options.saturation), 1 + options.saturation);
  draw.hue = between(-options.hue, options.hue);
  for (std::uint32_t left = 4; left > 1; --left)
    std::swap(draw.order[left - 1], draw.order[random.below(left)]);

  const double area = double(width) * double(height);
  const double widest = std::log(4.0 / 3.0);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double wanted = area * between(options.least_area, 1.0);
    const double ratio = std::exp(between(-widest, widest));
    const int w = static_cast<int>(std::lround(std::sqrt(wanted * ratio)));
    const int h = static_cast<int>(std::lround(std::sqrt(wanted / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const int y = static_cast<int>(random.below(static_cast<std::uint32_t>(height - h + 1)));
    const int x = static_cast<int>(random.below(static_cast<std::uint32_t>(width - w + 1)));
    draw.window = {double(x), double(y), double(w), double(h)};
    return draw;
  }
  // An image too long for it: as much of its middle as the ratio allows.
  const double w = std::min(double(width), std::round(double(height) * 4 / 3));
  const double h = std::min(double(height), std::round(double(width) * 4 / 3));
  draw.window = {std::floor((width - w) / 2), std::floor((height - h) / 2), w, h};
  return draw;
}

/// For evaluation: the middle that remains of the image when its shorter side is made 8/7 of the square's (256 for 224).
inline image_window centre_window(int width, int height) {
  const double side = std::min(width, height) * 7.0 / 8.0;
  return {(width - side) / 2, (height - side) / 2, side, side};
}

/// Decoded pixels [height][width][3], of a part of an image: its first pixel is pixel (left, top) of the whole.
struct pixel_region {
  int left = 0, top = 0, width = 0, height = 0;
  std::span<const std::uint8_t> rgb;
};

namespace detail {

/// Which pixels make up each of `side` outputs, and how much of each: the triangle filter, widened where the window shrinks.
struct resample_taps {
  std::vector<int> first;  ///< of each output, counted from the first pixel of the region
  int count = 0;
  std::vector<float> weights;  ///< [side][count]

  resample_taps(double begin, double length, int side, int low, int high) {
    const double scale = length / side;
    const double support = std::max(scale, 1.0);
    low = std::max(low, std::min(high - 1, static_cast<int>(std::floor(begin))));
    high = std::min(high, std::max(low + 1, static_cast<int>(std::ceil(begin + length))));
    count = std::min(static_cast<int>(std::ceil(2 * support)) + 1, high - low);
    for (int i = 0; i < side; ++i) {
      const double centre = begin + (i + 0.5) * scale;
      const int at = std::clamp(static_cast<int>(std::floor(centre - support + 0.5)), low, high - count);
      double sum = 0;
      std::vector<double> parts;
      for (int t = 0; t < count; ++t) {
        parts.push_back(std::max(0.0, 1 - std::abs(at + t + 0.5 - centre) / support));
        sum += parts.back();
      }
      first.push_back(at);
      for (const double part : parts) weights.push_back(static_cast<float>(part / sum));
    }
  }
};

}  // namespace detail

/// `window` (in pixels of the whole image, inside of the region) as a square of side x side: out[y][x][3], 0 to 255. Bilinear with the
/// filter widened when it shrinks, as PIL resizes.
inline void resample(const pixel_region& from, const image_window& window, int side, bool flip, float* out) {
  const detail::resample_taps across(window.x, window.width, side, from.left, from.left + from.width);
  const detail::resample_taps down(window.y, window.height, side, from.top, from.top + from.height);
  const int first_column = across.first.front();
  const auto columns = static_cast<std::size_t>(across.first.back() + across.count - first_column);
  const auto at = [&](int x, int y) {  // in the region
    const std::size_t rows = static_cast<std::size_t>(y - from.top) * static_cast<std::size_t>(from.width);
    return 3 * (rows + static_cast<std::size_t>(x - from.left));
  };
  std::vector<float> line(3 * columns);  // of the output's height and the window's width
  const float* down_weight = down.weights.data();
  for (int y = 0; y < side; ++y, out += std::ptrdiff_t{3} * side, down_weight += down.count) {
    std::fill(line.begin(), line.end(), 0.0F);
    for (int t = 0; t < down.count; ++t) {
      const std::uint8_t* in =
          from.rgb.data() + at(first_column, down.first[static_cast<std::size_t>(y)] + t);
      for (std::size_t i = 0; i < line.size(); ++i) line[i] += down_weight[t] * static_cast<float>(in[i]);
    }
    const float* weight = across.weights.data();
    for (int x = 0; x < side; ++x, weight += across.count) {
      const float* in =
          line.data() + std::ptrdiff_t{3} * (across.first[static_cast<std::size_t>(x)] - first_column);
      float red = 0, green = 0, blue = 0;
      for (int t = 0; t < across.count; ++t, in += 3) {
        red += weight[t] * in[0];
        green += weight[t] * in[1];
        blue += weight[t] * in[2];
      }
      float* target = out + std::ptrdiff_t{3} * (flip ? side - 1 - x : x);
      target[0] = red, target[1] = green, target[2] = blue;
    }
  }
}

}  // namespace crispnas
