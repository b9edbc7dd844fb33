// The scale of the tables, from a file.
#include "../fuzz.hpp"
#include "support/table_scale.hpp"

namespace {

void read(std::string_view bytes) {
  fuzz::accepted([&] {
    const auto document = support::parse_scale(bytes, "a", "a");
    for (int table = 1; table <= 5; ++table) {
      const auto scale = support::scale_of_table(document, table);
      fuzz::hold(scale.channels >= 1 && scale.cells >= 1 && scale.epochs >= 1 && scale.batch_size >= 2 &&
                     scale.images >= 0 && scale.weight_rate >= 0 && scale.partial != 3,
                 "a scale is one that can be run");
    }
  });
}

const fuzz::registered self("scale", read);

}  // namespace
