// Planes with a border of zeros, so that convolutions read their padding from memory and need no edge cases.
#pragma once

#include <crispnas/kernels/scratch.hpp>
#include <crispnas/kernels/vec.hpp>
#include <cstddef>

namespace crispnas::kernels {

/// A padded copy of some channels, zeros around.
template <class T>
struct padded {
  T* data = nullptr;
  int padding = 0;
  std::ptrdiff_t row = 0;    ///< scalars from one row to the next
  std::ptrdiff_t plane = 0;  ///< scalars from one channel to the next
  padded(scratch& memory, int channels, int height, int width, int pad, int lanes)
      : padding(pad), row(std::ptrdiff_t{width + 2 * pad} * lanes), plane(row * (height + 2 * pad)) {
    data = memory.template take<T>(plane * channels);
  }
  T* channel(int c) const { return data + c * plane; }
  /// Pixel (y, x) of the unpadded plane.
  T* pixel(int c, int y, int x, int lanes) const {
    return data + c * plane + (y + padding) * row + std::ptrdiff_t{x + padding} * lanes;
  }
};

/// Zeros in the border of channel c.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void clear_border(const padded<T>& to, int c, int height, int width) {
  const auto bytes = [](std::ptrdiff_t n) { return static_cast<std::size_t>(n) * sizeof(T); };
  const std::ptrdiff_t side = std::ptrdiff_t{to.padding} * S::lanes;
  T* p = to.channel(c);
  std::memset(p, 0, bytes(to.padding * to.row));
  std::memset(p + (height + to.padding) * to.row, 0, bytes(to.padding * to.row));
  for (int y = 0; y < height; ++y) {
    T* row = to.pixel(c, y, -to.padding, S::lanes);
    std::memset(row, 0, bytes(side));
    std::memset(row + side + std::ptrdiff_t{width} * S::lanes, 0, bytes(side));
  }
}

/// max(in, 0) of one plane, padded.
template <class S, class T = typename S::scalar>
CRISPNAS_INLINE void pad_rectified(const T* in, int height, int width, const padded<T>& to, int c) {
  clear_border<S>(to, c, height, width);
  for (int y = 0; y < height; ++y) {
    T* row = to.pixel(c, y, 0, S::lanes);
    for (int x = 0; x < width; ++x, in += S::lanes) put_rectified<S>(S::at(in), row + x * S::lanes);
  }
}

}  // namespace crispnas::kernels
