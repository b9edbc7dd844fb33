// Records of CIFAR-10 and CIFAR-100.
#include <crispnas/data/cifar_records.hpp>
#include <sstream>
#include <vector>

#include "../fuzz.hpp"

namespace {

namespace cn = crispnas;

void read(std::string_view bytes) {
  for (const auto& layout : {cn::detail::cifar_layout{1, 0, 10}, cn::detail::cifar_layout{2, 1, 100},
                             cn::detail::cifar_layout{2, 0, 20}}) {
    fuzz::accepted([&] {
      const auto count = cn::detail::cifar_record_count(static_cast<std::int64_t>(bytes.size()), layout, "a");
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * cn::detail::cifar_pixels));
      std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
      std::istringstream stream{std::string(bytes)};
      cn::detail::read_cifar_records(stream, count, layout, "a", pixels.data(), labels.data());
      for (const auto label : labels)
        fuzz::hold(label >= 0 && label < layout.classes, "labels are those of a class");
      fuzz::hold(pixels.back() == static_cast<std::uint8_t>(bytes.back()), "the last pixel is the last byte");
    });
  }
}

const fuzz::registered self("cifar", read);

}  // namespace
