// How does TensorBoard get the numbers of a search? By an event file: records of length, checksum, bytes, checksum (TFRecord), each an
// Event message of protocol buffers: wall_time = 1 (double), step = 2 (varint), file_version = 3 (string), summary = 5; a Summary has
// values (1), each of tag = 1 (string) and simple_value = 2 (float).
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "growing_file.hpp"

namespace support {

/// CRC-32C (Castagnoli), as RFC 3720 has it.
inline std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ ((rest & 1U) != 0 ? 0x82f63b78U : 0U);
      entries[i] = rest;
    }
    return entries;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ crc >> 8;
  return ~crc;
}

/// What a TFRecord stores of it, so that the checksum of bytes that hold checksums stays one.
inline std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

namespace detail {

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> 8 * i & 0xffU);
  return bytes;
}
inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80U | (value & 0x7fU));
  return bytes + static_cast<char>(value);
}
// A field is its number and kind, then its value.
inline std::string field(unsigned number, std::uint64_t value) {
  return varint(number << 3 | 0U) + varint(value);
}
inline std::string field(unsigned number, double value) {
  return varint(number << 3 | 1U) + little_endian(std::bit_cast<std::uint64_t>(value));
}
inline std::string field(unsigned number, std::string_view bytes) {
  return varint(number << 3 | 2U) + varint(bytes.size()) + std::string(bytes);
}
inline std::string field(unsigned number, float value) {
  return varint(number << 3 | 5U) + little_endian(std::bit_cast<std::uint32_t>(value));
}

}  // namespace detail

/// Length, checksum of it, bytes, checksum of them.
inline std::string tf_record(std::string_view bytes) {
  const std::string length = detail::little_endian(std::uint64_t{bytes.size()});
  return length + detail::little_endian(masked_crc32c(length)) + std::string(bytes) +
         detail::little_endian(masked_crc32c(bytes));
}

using scalars = std::vector<std::pair<std::string, double>>;  ///< tag and value

/// An Event with scalars; TensorBoard groups tags by what stands before the slash.
inline std::string scalar_event(double wall_time, std::int64_t step, const scalars& values) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    summary += detail::field(1, std::string_view(detail::field(1, std::string_view(tag)) +
                                                 detail::field(2, static_cast<float>(value))));
  }
  return detail::field(1, wall_time) + detail::field(2, static_cast<std::uint64_t>(step)) +
         detail::field(5, std::string_view(summary));
}

/// An event file: events are there as soon as they are added. TensorBoard finds it by its name, which is always the same, so that a run
/// that goes on finds it, too: more than one file of a folder would be shown as one run.
class event_file {
 public:
  static constexpr const char* name = "events.out.tfevents.crispnas";

  /// Begins the file in `folder`; or, where it `goes_on` and has events, writes behind them. Throws crispnas::error, as add() does.
  explicit event_file(const std::filesystem::path& folder, bool goes_on = false)
      : file_(folder / name, goes_on) {
    if (!goes_on || file_.empty())
      write(detail::field(1, now()) + detail::field(3, std::string_view("brain.Event:2")));
  }

  void add(std::int64_t step, const scalars& values) { write(scalar_event(now(), step, values)); }

 private:
  static double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  void write(const std::string& event) { file_.write(tf_record(event)); }

  growing_file file_;
};

}  // namespace support
