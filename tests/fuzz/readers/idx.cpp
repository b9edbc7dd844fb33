// Images and labels of IDX files.
#include <crispnas/data/idx_header.hpp>

#include "../fuzz.hpp"

namespace {

namespace cn = crispnas;

void read(std::string_view bytes) {
  fuzz::accepted([&] {
    const auto [n, h, w] = cn::check_idx_images(fuzz::as_bytes(bytes), "a");
    fuzz::hold(n > 0 && h > 0 && w > 0 && n * h * w == bytes.size() - 16, "the sizes are those of the bytes");
  });
  fuzz::accepted([&] {
    const auto labels = cn::check_idx_labels(fuzz::as_bytes(bytes), "a", 10);
    fuzz::hold(labels.size() == bytes.size() - 8, "a label is a byte");
    for (const auto label : labels)
      fuzz::hold(std::to_integer<int>(label) < 10, "labels are those of a class");
  });
}

const fuzz::registered self("idx", read);

}  // namespace
