// How do tensors get into a .safetensors file and out of it? Strictly: what the header promises is checked
// against the size of the file first, and a file is written whole or not at all.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <crispnas/error.hpp>
#include <crispnas/io/atomic_file.hpp>
#include <crispnas/io/printable.hpp>
#include <crispnas/io/safetensors_header.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace crispnas {

static_assert(std::endian::native == std::endian::little,
              "crispnas::io: .safetensors files are little endian, and so must the machine be.");

using named_tensors = std::vector<std::pair<std::string, at::Tensor>>;

namespace detail {

/// In the order of stored_type.
inline constexpr std::array<at::ScalarType, 10> scalar_types{
    at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
    at::kInt,    at::kShort, at::kChar, at::kByte,     at::kBool};

inline std::optional<stored_type> stored_type_of(at::ScalarType type) {
  const auto place = std::find(scalar_types.begin(), scalar_types.end(), type);
  if (place == scalar_types.end()) return std::nullopt;
  return static_cast<stored_type>(place - scalar_types.begin());
}

}  // namespace detail

/// Type of a stored tensor in LibTorch's words.
inline at::ScalarType scalar_type(stored_type type) {
  return detail::scalar_types[static_cast<std::size_t>(type)];
}

/// "[16, 3, 3, 3]"
inline std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const auto dimension : shape) text += (text.empty() ? "" : ", ") + std::to_string(dimension);
  return "[" + text + "]";
}

/// An open .safetensors file whose header has been checked; tensors are read one by one.
class safetensors_file {
 public:
  /// Throws crispnas::error where the file cannot be read or its header does not hold.
  explicit safetensors_file(const std::filesystem::path& path)
      : safetensors_file(path.string(), opened(path)) {}

  /// The same of bytes that have been read; `name` stands in messages.
  safetensors_file(std::string name, std::string bytes)
      : safetensors_file(std::move(name), std::make_unique<std::istringstream>(std::move(bytes))) {}
  safetensors_file(const safetensors_file&) = delete;  // the index looks into the header
  safetensors_file& operator=(const safetensors_file&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<stored_tensor>& tensors() const { return header_.tensors; }
  const text_pairs& metadata() const { return header_.metadata; }

  /// The tensor of that name; null where there is none.
  const stored_tensor* find(std::string_view name) const {
    const auto place = index_.find(name);
    return place == index_.end() ? nullptr : &header_.tensors[place->second];
  }

  /// Its values, on the CPU.
  at::Tensor read(const stored_tensor& tensor) {
    at::Tensor values = at::empty(tensor.shape, at::TensorOptions().dtype(scalar_type(tensor.type)));
    stream_->clear();
    stream_->seekg(static_cast<std::streamoff>(header_.data_begin + tensor.begin));
    const auto bytes = static_cast<std::size_t>(tensor.end - tensor.begin);
    auto* to = static_cast<unsigned char*>(values.data_ptr());
    read_bytes(to, bytes);
    if (tensor.type == stored_type::boolean &&
        std::any_of(to, to + bytes, [](unsigned char b) { return b > 1; })) {
      throw error("file '" + name_ + "': tensor '" + printable_name(tensor.name) +
                  "' is of type BOOL, but has bytes that are neither 0 nor 1.");
    }
    return values;
  }

  /// The values of the tensor `name`. Throws crispnas::error where there is none.
  at::Tensor read(std::string_view name) {
    const stored_tensor* tensor = find(name);
    if (tensor != nullptr) return read(*tensor);
    std::string known;
    for (const auto& t : header_.tensors) known += (known.empty() ? "" : ", ") + printable_name(t.name);
    throw error("file '" + name_ + "': there is no tensor '" + printable_name(name) +
                "'; there are: " + known + ".");
  }

 private:
  safetensors_file(std::string name, std::unique_ptr<std::istream> stream)
      : name_(std::move(name)), stream_(std::move(stream)) {
    stream_->seekg(0, std::ios::end);
    const auto bytes = static_cast<std::uint64_t>(static_cast<std::streamoff>(stream_->tellg()));
    stream_->seekg(0);
    try {
      std::array<unsigned char, safetensors_limits::length_bytes> length{};
      if (bytes < length.size())
        throw error("safetensors header: a file of " + std::to_string(bytes) + " bytes has none.");
      read_bytes(length.data(), length.size());
      std::string json(static_cast<std::size_t>(safetensors_header_length(length, bytes)), '\0');
      read_bytes(json.data(), json.size());
      header_ = parse_safetensors_header(json, bytes - length.size() - json.size());
    } catch (const error& e) {
      throw error("file '" + name_ + "': " + e.what());
    }
    for (std::size_t i = 0; i < header_.tensors.size(); ++i) index_.emplace(header_.tensors[i].name, i);
  }

  static std::unique_ptr<std::istream> opened(const std::filesystem::path& path) {
    const std::string name = path.string();
    std::error_code code;
    const auto status = std::filesystem::status(path, code);
    if (!std::filesystem::exists(status)) throw error("file '" + name + "' does not exist. Check the path.");
    if (!std::filesystem::is_regular_file(status)) throw error("'" + name + "' is not a file.");
    auto stream = std::make_unique<std::ifstream>(path, std::ios::binary);
    if (!*stream) throw error("file '" + name + "' cannot be opened. Check its permissions.");
    return stream;
  }

  void read_bytes(void* to, std::size_t bytes) {
    stream_->read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (static_cast<std::size_t>(stream_->gcount()) != bytes) {
      throw error("file '" + name_ + "' ended too early. Is something still writing it?");
    }
  }

  std::string name_;
  std::unique_ptr<std::istream> stream_;
  safetensors_header header_;
  std::unordered_map<std::string_view, std::size_t> index_;  ///< of the names
};

/// All tensors of a file, on the CPU, in the order of their bytes. Throws crispnas::error.
inline named_tensors read_safetensors(safetensors_file&& file) {
  named_tensors all;
  for (const auto& tensor : file.tensors()) all.emplace_back(tensor.name, file.read(tensor));
  return all;
}
inline named_tensors read_safetensors(const std::filesystem::path& path) {
  return read_safetensors(safetensors_file(path));
}

/// Writes tensors of any device (not meta) and layout; the largest element types come first, so that all
/// values are aligned. Throws crispnas::error for a type that cannot be stored, a name that is there twice or
/// not UTF-8, and when the file cannot be written; an older file of that name is then untouched. Returns length and
/// SHA-256 of the file.
inline file_facts write_safetensors(const std::filesystem::path& path, const named_tensors& tensors,
                                    const text_pairs& metadata = {}, file_calls& calls = system_files()) {
  std::vector<std::pair<stored_tensor, at::Tensor>> all;
  for (const auto& [name, values] : tensors) {
    const auto fail = [&, n = &name](const std::string& what) {
      throw error("tensor '" + printable_name(*n) + "' cannot be saved: " + what);
    };
    if (!values.defined()) fail("it is undefined.");
    if (values.is_meta()) fail("a tensor on the meta device has no values.");
    if (name == "__metadata__") fail("the format keeps that name for itself. Take another one.");
    const auto type = detail::stored_type_of(values.scalar_type());
    if (!type)
      fail(std::string("type ") + at::toString(values.scalar_type()) +
           " has no place in the format. Convert it.");
    stored_tensor stored{name, *type, values.sizes().vec(), 0, 0};
    if (!stored_bytes(stored.type, stored.shape, stored.end)) fail("it is too large.");
    all.emplace_back(std::move(stored), values);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    const std::uint64_t size_a = facts_of(a.first.type).bytes;
    const std::uint64_t size_b = facts_of(b.first.type).bytes;
    return size_a != size_b ? size_a > size_b : a.first.name < b.first.name;
  });
  std::uint64_t at = 0;
  std::vector<stored_tensor> header;
  for (auto& [stored, values] : all) {
    stored.begin = at;
    at = stored.end += stored.begin;
    header.push_back(stored);
  }
  const std::string beginning = safetensors_beginning(header, metadata);
  atomic_file file(path, beginning.size() + at, calls);
  file.write(beginning.data(), beginning.size());
  for (const auto& [stored, values] : all) {
    const at::Tensor dense = values.detach().to(at::kCPU).contiguous();
    file.write(dense.data_ptr(), static_cast<std::size_t>(stored.end - stored.begin));
  }
  return file.commit();
}

}  // namespace crispnas
