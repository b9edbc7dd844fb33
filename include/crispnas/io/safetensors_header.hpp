// What is in a .safetensors file? Eight bytes of length, a JSON object that names type, shape and place of
// every tensor, and the bytes. Here the object is read and written, without LibTorch and without trust:
// everything is checked against the size of the file before anything is allocated (format:
// huggingface.co/docs/safetensors).
#pragma once

#include <algorithm>
#include <array>
#include <crispnas/error.hpp>
#include <crispnas/io/json_cursor.hpp>
#include <crispnas/io/printable.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace crispnas {

/// The element types that can be stored.
enum class stored_type : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

struct stored_type_facts {
  std::string_view name;  ///< as the file writes it
  std::uint64_t bytes;    ///< of an element
};
inline constexpr std::array<stored_type_facts, 10> stored_types{{{"F64", 8},
                                                                 {"F32", 4},
                                                                 {"F16", 2},
                                                                 {"BF16", 2},
                                                                 {"I64", 8},
                                                                 {"I32", 4},
                                                                 {"I16", 2},
                                                                 {"I8", 1},
                                                                 {"U8", 1},
                                                                 {"BOOL", 1}}};
constexpr const stored_type_facts& facts_of(stored_type type) {
  return stored_types[static_cast<std::size_t>(type)];
}

struct stored_tensor {
  std::string name;
  stored_type type = stored_type::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< bytes after the header
  std::uint64_t end = 0;
  bool operator==(const stored_tensor&) const = default;
};

using text_pairs = std::vector<std::pair<std::string, std::string>>;

struct safetensors_header {
  std::vector<stored_tensor>
      tensors;                   ///< in the order of their bytes, which they cover without hole or overlap
  text_pairs metadata;           ///< `__metadata__`, in the order of the file
  std::uint64_t data_begin = 0;  ///< where in the file the tensors' bytes begin
};

/// What a header may have. The format allows 100 MB; nothing needs them. They bound the number of tensors, too.
struct safetensors_limits {
  static constexpr std::uint64_t header_bytes = std::uint64_t{16} << 20;
  static constexpr std::size_t metadata = 65536;  ///< pairs of texts
  static constexpr std::size_t dimensions = 64;
  static constexpr std::uint64_t length_bytes = 8;
};

/// The bytes that `shape` needs; nothing where the product is above 2^63 - 1 (dimensions of 0 count as 1 for
/// that, since strides are products too).
inline bool stored_bytes(stored_type type, const std::vector<std::int64_t>& shape, std::uint64_t& bytes) {
  constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
  std::uint64_t product = facts_of(type).bytes;
  bool empty = false;
  for (const std::int64_t dimension : shape) {
    const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(dimension, 1));
    empty = empty || dimension == 0;
    if (product > largest / size) return false;
    product *= size;
  }
  bytes = empty ? 0 : product;
  return true;
}

namespace detail {

inline stored_type read_stored_type(json_cursor& cursor) {
  const std::string name = cursor.string();
  for (std::size_t i = 0; i < stored_types.size(); ++i) {
    if (stored_types[i].name == name) return static_cast<stored_type>(i);
  }
  std::string known;
  for (const auto& type : stored_types) known += (known.empty() ? "" : " ") + std::string(type.name);
  cursor.fail("type '" + printable_name(name) + "' is not one of " + known +
              ". Convert the tensor before it is saved.");
}

inline stored_tensor read_stored_tensor(json_cursor& cursor, std::string name) {
  stored_tensor tensor;
  tensor.name = std::move(name);
  bool has_type = false;
  bool has_shape = false;
  bool has_place = false;
  const auto once = [&](bool& seen, const std::string& key) {
    if (seen) cursor.fail("'" + printable_name(key) + "' is given twice.");
    seen = true;
  };
  cursor.expect('{');
  for (bool first = true; cursor.next('}', first); first = false) {
    const std::string key = cursor.string();
    cursor.expect(':');
    if (key == "dtype") {
      once(has_type, key);
      tensor.type = read_stored_type(cursor);
    } else if (key == "shape") {
      once(has_shape, key);
      cursor.expect('[');
      for (bool empty = true; cursor.next(']', empty); empty = false) {
        if (tensor.shape.size() == safetensors_limits::dimensions) {
          cursor.fail("a tensor has at most " + std::to_string(safetensors_limits::dimensions) +
                      " dimensions.");
        }
        tensor.shape.push_back(static_cast<std::int64_t>(cursor.integer()));
      }
    } else if (key == "data_offsets") {
      once(has_place, key);
      cursor.expect('[');
      tensor.begin = cursor.integer();
      cursor.expect(',');
      tensor.end = cursor.integer();
      cursor.expect(']');
    } else {
      cursor.fail("'" + printable_name(key) + "' is none of dtype, shape, data_offsets.");
    }
  }
  if (!has_type || !has_shape || !has_place) {
    cursor.fail("tensor '" + printable_name(tensor.name) + "' needs dtype, shape and data_offsets.");
  }
  std::uint64_t needed = 0;
  if (!stored_bytes(tensor.type, tensor.shape, needed)) {
    cursor.fail("tensor '" + printable_name(tensor.name) + "' has more than 2^63 - 1 bytes.");
  }
  if (tensor.begin > tensor.end || tensor.end - tensor.begin != needed) {
    cursor.fail("tensor '" + printable_name(tensor.name) + "' needs " + std::to_string(needed) +
                " bytes, but its data_offsets are [" + std::to_string(tensor.begin) + ", " +
                std::to_string(tensor.end) + "].");
  }
  return tensor;
}

inline text_pairs read_metadata(json_cursor& cursor) {
  text_pairs metadata;
  cursor.expect('{');
  for (bool first = true; cursor.next('}', first); first = false) {
    if (metadata.size() == safetensors_limits::metadata) {
      cursor.fail("__metadata__ has at most " + std::to_string(safetensors_limits::metadata) + " entries.");
    }
    std::string key = cursor.string();
    cursor.expect(':');
    metadata.emplace_back(std::move(key), cursor.string());
  }
  return metadata;
}

/// A name that is there twice; null where all differ.
template <class Range, class Name>
const std::string* repeated(const Range& range, Name name) {
  std::vector<const std::string*> names;
  names.reserve(range.size());
  for (const auto& element : range) names.push_back(&name(element));
  std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
  const auto same =
      std::adjacent_find(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a == *b; });
  return same == names.end() ? nullptr : *same;
}

/// Orders tensors by their bytes and makes sure that these follow one another from 0 to `data_bytes`.
inline void check_places(std::vector<stored_tensor>& tensors, std::uint64_t data_bytes) {
  std::sort(tensors.begin(), tensors.end(), [](const stored_tensor& a, const stored_tensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t expected = 0;
  for (const auto& tensor : tensors) {
    if (tensor.begin != expected) {
      throw error("safetensors header: tensor '" + printable_name(tensor.name) + "' begins at byte " +
                  std::to_string(tensor.begin) + " of the data, but the ones before end at " +
                  std::to_string(expected) +
                  (tensor.begin < expected ? ": they overlap." : ": there is a hole."));
    }
    expected = tensor.end;
  }
  if (expected != data_bytes) {
    throw error("safetensors header: the tensors have " + std::to_string(expected) +
                " bytes, but the file has " + std::to_string(data_bytes) +
                (data_bytes < expected ? ". It is cut short." : ". There is a hole at its end."));
  }
}

}  // namespace detail

/// The length of the header of a file of `file_bytes` that begins with `first` (little endian). Throws
/// crispnas::error.
inline std::uint64_t safetensors_header_length(const std::array<unsigned char, 8>& first,
                                               std::uint64_t file_bytes) {
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = (length << 8) | first[i];
  if (length > safetensors_limits::header_bytes) {
    throw error("safetensors header: a length of " + std::to_string(length) + " bytes is more than the " +
                std::to_string(safetensors_limits::header_bytes) +
                " that are accepted. Is it a .safetensors file?");
  }
  if (file_bytes < safetensors_limits::length_bytes ||
      length > file_bytes - safetensors_limits::length_bytes) {
    throw error("safetensors header: it is to have " + std::to_string(length) +
                " bytes, but the file has only " + std::to_string(file_bytes) +
                ". It is cut short, or no .safetensors file.");
  }
  return length;
}

/// The header `json` of a file that has `data_bytes` behind it. Throws crispnas::error with the byte where it
/// goes wrong.
inline safetensors_header parse_safetensors_header(std::string_view json, std::uint64_t data_bytes) {
  safetensors_header header;
  header.data_begin = safetensors_limits::length_bytes + json.size();
  detail::json_cursor cursor(json, "safetensors header");
  if (json.empty() || json.front() != '{') cursor.fail("'{' is expected here.");
  cursor.expect('{');
  bool has_metadata = false;
  for (bool first = true; cursor.next('}', first); first = false) {
    std::string name = cursor.string();
    cursor.expect(':');
    if (name == "__metadata__") {
      if (has_metadata) cursor.fail("'__metadata__' is given twice.");
      has_metadata = true;
      header.metadata = detail::read_metadata(cursor);
    } else {
      header.tensors.push_back(detail::read_stored_tensor(cursor, std::move(name)));
    }
  }
  cursor.end();
  const auto* tensor =
      detail::repeated(header.tensors, [](const stored_tensor& t) -> const std::string& { return t.name; });
  if (tensor != nullptr)
    throw error("safetensors header: there are two tensors '" + printable_name(*tensor) + "'.");
  const auto* key =
      detail::repeated(header.metadata, [](const auto& pair) -> const std::string& { return pair.first; });
  if (key != nullptr)
    throw error("safetensors header: '" + printable_name(*key) + "' is given twice in __metadata__.");
  detail::check_places(header.tensors, data_bytes);
  return header;
}

/// The beginning of a file: length and header, padded with spaces so that the tensors begin at a multiple of
/// 8 bytes. The places of the tensors are taken as they are. Throws crispnas::error where
/// parse_safetensors_header would (names that are not UTF-8 or there twice, places with holes).
inline std::string safetensors_beginning(const std::vector<stored_tensor>& tensors,
                                         const text_pairs& metadata) {
  std::string json = "{";
  const auto add = [&](std::string_view name, const std::string& value) {
    json += (json.size() > 1 ? "," : "") + detail::json_quoted(name) + ":" + value;
  };
  if (!metadata.empty()) {
    std::string pairs;
    for (const auto& [key, value] : metadata) {
      pairs += (pairs.empty() ? "" : ",") + detail::json_quoted(key) + ":" + detail::json_quoted(value);
    }
    add("__metadata__", "{" + pairs + "}");
  }
  std::uint64_t data_bytes = 0;
  for (const auto& tensor : tensors) {
    std::string shape;
    for (const auto dimension : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(dimension);
    add(tensor.name, "{\"dtype\":\"" + std::string(facts_of(tensor.type).name) + "\",\"shape\":[" + shape +
                         "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," +
                         std::to_string(tensor.end) + "]}");
    data_bytes = std::max(data_bytes, tensor.end);
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > safetensors_limits::header_bytes) {
    throw error("safetensors header: it would have " + std::to_string(json.size()) +
                " bytes, more than the " + std::to_string(safetensors_limits::header_bytes) +
                " that are read. Save fewer tensors in a file.");
  }
  parse_safetensors_header(json, data_bytes);
  std::string beginning;
  for (std::uint64_t length = json.size(), i = 0; i < safetensors_limits::length_bytes; ++i, length >>= 8) {
    beginning += static_cast<char>(static_cast<unsigned char>(length & 0xFF));
  }
  return beginning + json;
}

}  // namespace crispnas
