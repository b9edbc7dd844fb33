// A photograph, decoded and resampled as in training and in evaluation.
#include "support/jpeg.hpp"

#include <algorithm>
#include <crispnas/data/window.hpp>
#include <vector>

#include "../fuzz.hpp"

namespace {

constexpr int side = 24;

template <class Window>
void take(std::string_view bytes, const Window& window_of) {
  fuzz::accepted([&] {
    support::jpeg_decoder decoder(fuzz::as_bytes(bytes));
    fuzz::hold(decoder.width() > 0 && decoder.height() > 0, "an image has pixels");
    fuzz::hold(std::int64_t{decoder.width()} * decoder.height() <= support::jpeg_most_pixels,
               "no bomb is decoded");
    const crispnas::image_window window = window_of(decoder.width(), decoder.height());
    const auto image = decoder.decode(window, side);
    fuzz::hold(image.rgb.size() == std::size_t{3} * static_cast<std::size_t>(image.width) *
                                       static_cast<std::size_t>(image.height),
               "a decoded image has three bytes for every pixel");
    std::vector<float> out(std::size_t{3} * side * side);
    crispnas::resample(image.region(), image.scaled(window), side, false, out.data());
    fuzz::hold(std::all_of(out.begin(), out.end(), [](float v) { return v >= -0.1F && v <= 255.1F; }),
               "pixels are from 0 to 255");
  });
}

void read(std::string_view bytes) {
  take(bytes, [](int width, int height) { return crispnas::centre_window(width, height); });
  crispnas::window_options options;
  options.side = side;
  take(bytes, [&](int width, int height) {
    return crispnas::draw_window(options, width, height, bytes.size(), 0, 0).window;
  });
}

const fuzz::registered self("jpeg", read);

}  // namespace
