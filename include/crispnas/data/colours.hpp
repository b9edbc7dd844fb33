// How are the colours of a training image moved? Brightness, contrast, saturation and hue, in a random order, each as torchvision's
// ColorJitter does it (without its rounding to bytes in between).
#pragma once

#include <algorithm>
#include <cmath>
#include <crispnas/data/window.hpp>
#include <cstddef>
#include <span>

namespace crispnas {

namespace detail {

inline float held(float value) { return std::clamp(value, 0.0F, 255.0F); }

inline float gray_of(const float* rgb) { return 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2]; }

/// Turns the hue of one pixel by `turn` of a circle; lightest and darkest channel stay as they are.
inline void turn_hue(float* rgb, float turn) {
  const float high = std::max({rgb[0], rgb[1], rgb[2]});
  const float low = std::min({rgb[0], rgb[1], rgb[2]});
  const float range = high - low;
  if (range <= 0) return;
  float hue = high == rgb[0]   ? (rgb[1] - rgb[2]) / range
              : high == rgb[1] ? 2 + (rgb[2] - rgb[0]) / range
                               : 4 + (rgb[0] - rgb[1]) / range;  // in sixths of the circle
  hue += 6 * turn;
  const auto channel = [&](float shift) {
    float at = hue + shift;
    at -= 6 * std::floor(at * (1.0F / 6));
    return high - range * std::clamp(std::min(at, 4 - at), 0.0F, 1.0F);
  };
  const float red = channel(5), green = channel(3), blue = channel(1);
  rgb[0] = red, rgb[1] = green, rgb[2] = blue;
}

}  // namespace detail

/// pixels: [..][3], 0 to 255, changed in place.
inline void move_colours(std::span<float> pixels, const window_draw& draw) {
  const auto blend = [&](double factor, auto other) {  // factor * pixel + (1 - factor) * other
    const auto f = static_cast<float>(factor);
    for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
      const float grey = (1 - f) * other(&pixels[i]);
      for (std::size_t c = i; c < i + 3; ++c) pixels[c] = detail::held(f * pixels[c] + grey);
    }
  };
  for (const int step : draw.order) {
    if (step == 0 && draw.brightness != 1) blend(draw.brightness, [](const float*) { return 0.0F; });
    if (step == 1 && draw.contrast != 1) {
      double sum = 0;
      for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) sum += double(detail::gray_of(&pixels[i]));
      const auto mean = static_cast<float>(sum / std::max(1.0, double(pixels.size()) / 3));
      blend(draw.contrast, [mean](const float*) { return mean; });
    }
    if (step == 2 && draw.saturation != 1) blend(draw.saturation, detail::gray_of);
    if (step == 3 && draw.hue != 0) {
      for (std::size_t i = 0; i + 2 < pixels.size(); i += 3)
        detail::turn_hue(&pixels[i], static_cast<float>(draw.hue));
    }
  }
}

}  // namespace crispnas
