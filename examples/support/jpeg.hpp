// How does a JPEG file become pixels? By libjpeg-turbo, which decodes at 1, 1/2, 1/4 or 1/8 of the size for a fraction of the work, and
// only the rows and columns that are wanted. Sizes are checked before anything is allocated; what cannot be decoded is an
// unreadable_image that says why.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>
// libjpeg needs the two above first.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <crispnas/data/window.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// This one file cannot be used; others may.
struct unreadable_image : crispnas::error {
  using crispnas::error::error;
};

inline constexpr std::int64_t jpeg_most_pixels = std::int64_t{64} << 20;  ///< 64 MPix: 8192 x 8192
inline constexpr long jpeg_most_memory =
    256L << 20;  ///< bytes that libjpeg takes; a progressive file asks for 6 a pixel before it has shown any
inline constexpr int jpeg_most_scans = 100;  ///< a progressive file may ask for work without end otherwise

/// Decoded pixels, and where they lie in the image at the scale that was chosen.
struct decoded_image {
  std::vector<std::uint8_t> rgb;
  int left = 0, top = 0, width = 0, height = 0;
  double scale_x = 1, scale_y = 1;  ///< of the decoded image to the stored one

  crispnas::pixel_region region() const { return {left, top, width, height, rgb}; }
  crispnas::image_window scaled(const crispnas::image_window& w) const {
    return {w.x * scale_x, w.y * scale_y, w.width * scale_x, w.height * scale_y};
  }
};

class jpeg_decoder {
 public:
  /// Reads the header of the file in `bytes`, which is to outlive this. Throws unreadable_image.
  explicit jpeg_decoder(std::span<const std::byte> bytes) {
    state_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = [](j_common_ptr info) {
      // libjpeg is C: an exception cannot pass it, and error_exit may not return.
      std::longjmp(reinterpret_cast<error_state*>(info->err)->back, 1);  // NOLINT(cert-err52-cpp)
    };
    errors_.base.emit_message = &on_message;
    errors_.base.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = [](j_common_ptr info) {
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > jpeg_most_scans) {
        info->err->msg_code = too_many_scans;
        info->err->error_exit(info);
      }
    };
    if (bytes.size() < 2 || bytes[0] != std::byte{0xff} || bytes[1] != std::byte{0xd8})
      throw unreadable_image("it is not a JPEG file");
    call([&] { jpeg_create_decompress(&state_); });
    try {
      state_.progress = &progress_;
      state_.mem->max_memory_to_use = jpeg_most_memory;
      call([&] {
        jpeg_mem_src(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
        jpeg_read_header(&state_, TRUE);
      });
      if (std::int64_t{state_.image_width} * state_.image_height > jpeg_most_pixels) {
        throw unreadable_image("it has " + std::to_string(state_.image_width) + " x " +
                               std::to_string(state_.image_height) + " pixels, more than 64 million");
      }
    } catch (...) {
      jpeg_destroy_decompress(&state_);
      throw;
    }
  }
  jpeg_decoder(const jpeg_decoder&) = delete;
  jpeg_decoder& operator=(const jpeg_decoder&) = delete;
  ~jpeg_decoder() { jpeg_destroy_decompress(&state_); }

  int width() const { return static_cast<int>(state_.image_width); }
  int height() const { return static_cast<int>(state_.image_height); }

  /// The pixels of `window` (in pixels of the stored image), at the smallest scale at which it still has `side` columns and rows; at
  /// least 1/8. Once. Throws unreadable_image.
  decoded_image decode(const crispnas::image_window& window, int side) {
    unsigned denominator = 1;
    while (denominator < 8 && std::min(window.width, window.height) / (2 * denominator) >= side)
      denominator *= 2;
    const bool four = state_.jpeg_color_space == JCS_CMYK || state_.jpeg_color_space == JCS_YCCK;
    state_.scale_num = 1;
    state_.scale_denom = denominator;
    state_.out_color_space = four ? JCS_CMYK : JCS_RGB;
    state_.dct_method = JDCT_ISLOW;
    call([&] { jpeg_start_decompress(&state_); });

    decoded_image image;
    image.scale_x = double(state_.output_width) / width();
    image.scale_y = double(state_.output_height) / height();
    const auto wanted = image.scaled(window);
    const auto first = [](double at) { return static_cast<unsigned>(std::max(0.0, std::floor(at))); };
    const auto last = [](double at, unsigned size) {
      return std::min(size, static_cast<unsigned>(std::max(1.0, std::ceil(at))));
    };
    JDIMENSION left = std::min(first(wanted.x), state_.output_width - 1);
    JDIMENSION columns = last(wanted.x + wanted.width, state_.output_width) - left;
    const JDIMENSION top = std::min(first(wanted.y), state_.output_height - 1);
    const JDIMENSION bottom = last(wanted.y + wanted.height, state_.output_height);
    if (columns < state_.output_width) call([&] { jpeg_crop_scanline(&state_, &left, &columns); });
    if (top > 0) call([&] { jpeg_skip_scanlines(&state_, top); });
    image.left = static_cast<int>(left);
    image.top = static_cast<int>(top);
    image.width = static_cast<int>(state_.output_width);
    image.height = static_cast<int>(bottom - top);

    const std::size_t row = std::size_t{state_.output_width} * (four ? 4 : 3);
    std::vector<std::uint8_t> pixels(row * (bottom - top));
    call([&] {
      while (state_.output_scanline < bottom) {
        JSAMPROW to = pixels.data() + row * (state_.output_scanline - top);
        jpeg_read_scanlines(&state_, &to, 1);
      }
      if (bottom < state_.output_height) {
        jpeg_abort_decompress(&state_);  // the rows below are not wanted
      } else {
        jpeg_finish_decompress(&state_);
      }
    });
    image.rgb = four ? without_black(pixels, state_.saw_Adobe_marker != 0) : std::move(pixels);
    return image;
  }

 private:
  static constexpr int too_many_scans = -1;
  struct error_state {
    jpeg_error_mgr base;  // first: libjpeg hands out its address
    std::jmp_buf back;
  };

  // A file that ends early, or whose data breaks off, would be gray from there on.
  static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;
    const int code = info->err->msg_code;
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) info->err->error_exit(info);
  }

  /// Runs what calls libjpeg, whose errors jump back to here: nothing with a destructor may live in between.
  template <class Body>
  void call(Body body) {
    if (setjmp(errors_.back) != 0) fail();  // jumped back. NOLINT(cert-err52-cpp): see the constructor
    return body();
  }
  [[noreturn]] void fail() {
    if (errors_.base.msg_code == too_many_scans)
      throw unreadable_image("it has more than " + std::to_string(jpeg_most_scans) + " scans");
    char text[JMSG_LENGTH_MAX];
    errors_.base.format_message(reinterpret_cast<j_common_ptr>(&state_), text);
    throw unreadable_image(text);
  }

  /// CMYK to RGB as PIL does it; Adobe stores it inverted.
  static std::vector<std::uint8_t> without_black(const std::vector<std::uint8_t>& cmyk, bool inverted) {
    std::vector<std::uint8_t> rgb;
    rgb.reserve(cmyk.size() / 4 * 3);
    const auto light = [&](std::uint8_t ink) { return inverted ? ink : 255 - ink; };
    for (std::size_t i = 0; i + 3 < cmyk.size(); i += 4) {
      for (std::size_t c = i; c < i + 3; ++c)
        rgb.push_back(static_cast<std::uint8_t>((light(cmyk[c]) * light(cmyk[i + 3]) + 127) / 255));
    }
    return rgb;
  }

  jpeg_decompress_struct state_{};
  error_state errors_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace support
