// The beginning of a .safetensors file. What is accepted is written and read again as the same.
#include <array>
#include <crispnas/io/safetensors_header.hpp>

#include "../fuzz.hpp"

namespace {

namespace cn = crispnas;

void read(std::string_view bytes) {
  std::array<unsigned char, 8> first{};
  if (bytes.size() < first.size()) return;  // the caller knows the size of the file
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<unsigned char>(bytes[i]);
  cn::safetensors_header header;
  std::size_t data = 0;
  const bool whole = fuzz::accepted([&] {
    const auto length = static_cast<std::size_t>(cn::safetensors_header_length(first, bytes.size()));
    fuzz::hold(length <= bytes.size() - first.size(), "a header lies in its file");
    data = bytes.size() - first.size() - length;
    header = cn::parse_safetensors_header(bytes.substr(first.size(), length), data);
  });
  if (!whole) return;
  std::uint64_t end = 0;
  for (const auto& tensor : header.tensors) {
    fuzz::hold(tensor.begin == end && tensor.end >= end, "tensors follow one another");
    end = tensor.end;
  }
  fuzz::hold(end == data, "tensors fill the file");
  const std::string again = cn::safetensors_beginning(header.tensors, header.metadata);
  const auto same = cn::parse_safetensors_header(std::string_view(again).substr(first.size()), data);
  fuzz::hold(same.tensors == header.tensors && same.metadata == header.metadata,
             "what is written is read again");
}

const fuzz::registered self("safetensors", read);

}  // namespace
