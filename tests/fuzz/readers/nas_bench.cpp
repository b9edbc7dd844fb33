// The table of NAS-Bench-201.
#include <sstream>

#include "../fuzz.hpp"
#include "support/nas_bench_table.hpp"

namespace {

void read(std::string_view bytes) {
  std::istringstream file{std::string(bytes)};
  const bool whole = fuzz::accepted([&] { const support::nas_bench_table table(file, "a"); });
  fuzz::hold(!whole || bytes.size() > 15625, "a table has a line for every cell");
}

const fuzz::registered self("nas_bench", read);

}  // namespace
