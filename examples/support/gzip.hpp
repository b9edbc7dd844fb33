// How is a .gz file read safely? With zlib, up to a limit: a damaged or hostile file ends in a message, not
// in the memory of the machine.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <crispnas/data/file.hpp>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace support {

struct gunzip_limits {
  std::uint64_t bytes = std::uint64_t{1} << 28;  // decompressed: 5 times the images of Fashion-MNIST
  std::uint64_t ratio = 100;  // decompressed / compressed; images reach 2 to 10, bombs 1000
  std::uint64_t small = std::uint64_t{1} << 20;  // up to here, no ratio is suspicious
};

/// The content of one gzip stream that fills `packed` exactly. `name` is what messages call it. Throws
/// crispnas::error.
inline std::vector<std::byte> gunzip(std::span<const std::byte> packed, const std::string& name,
                                     const gunzip_limits& limits = {}) {
  const auto fail = [&](const std::string& what) { throw crispnas::error("gzip: '" + name + "' " + what); };
  if (packed.size() < 2 || packed[0] != std::byte{0x1f} || packed[1] != std::byte{0x8b}) {
    fail("is not a gzip file (wrong magic number). Fetch it again, or name the uncompressed file.");
  }
  if (packed.size() > std::min<std::uint64_t>(limits.bytes, std::numeric_limits<uInt>::max())) {
    fail("has " + std::to_string(packed.size()) + " bytes, more than the " + std::to_string(limits.bytes) +
         " that may come out of it. Is it the right file?");
  }
  const std::uint64_t by_ratio = std::max<std::uint64_t>(limits.small, limits.ratio * packed.size());
  const std::uint64_t most = std::min(limits.bytes, by_ratio);

  z_stream stream{};
  const auto check = [&](int code) {
    if (code == Z_BUF_ERROR) fail("is truncated: the compressed data end too early. Fetch it again.");
    if (code != Z_OK && code != Z_STREAM_END)
      fail("is damaged (zlib: " + std::string(zError(code)) + "). Fetch it again.");
    return code;
  };
  check(inflateInit2(&stream, 16 + MAX_WBITS));
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  // zlib's interface is not const-correct; it does not write to its input.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::vector<std::byte> out;
  std::array<std::byte, 1 << 16> chunk;
  int code = Z_OK;
  while (code != Z_STREAM_END) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    code = check(inflate(&stream, Z_NO_FLUSH));
    const std::size_t made = chunk.size() - stream.avail_out;
    if (out.size() + made > most) {
      fail("grows beyond " + std::to_string(most) + " bytes when decompressed, from " +
           std::to_string(packed.size()) + ". Is it the right file?");
    }
    out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(made));
  }
  if (stream.avail_in > 0)
    fail("has " + std::to_string(stream.avail_in) + " bytes left over after its end. Fetch it again.");
  return out;
}

/// The bytes of `path`, decompressed if its name ends in ".gz". Throws crispnas::error.
inline std::vector<std::byte> read_maybe_gzip(const std::filesystem::path& path,
                                              const gunzip_limits& limits = {}) {
  auto bytes = crispnas::read_data_file(path, limits.bytes);
  return path.extension() == ".gz" ? gunzip(bytes, path.string(), limits) : bytes;
}

}  // namespace support
