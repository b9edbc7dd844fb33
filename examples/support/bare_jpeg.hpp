// The loop that decoding of photographs is measured by: all pixels of a file, as libjpeg-turbo's example program does it.
#pragma once

#include <cstddef>
#include <cstdio>
// libjpeg needs the two above first.
#include <jpeglib.h>

#include <vector>

namespace support {

/// How many bytes of pixels the file holds. The file is known to be whole: an error ends the program.
inline std::size_t decode_bare(const std::vector<std::byte>& file) {
  jpeg_decompress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&state, TRUE);
  jpeg_start_decompress(&state);
  std::vector<unsigned char> pixels(std::size_t{3} * state.output_width * state.output_height);
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = pixels.data() + std::size_t{3} * state.output_width * state.output_scanline;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
  jpeg_destroy_decompress(&state);
  return pixels.size();
}

}  // namespace support
