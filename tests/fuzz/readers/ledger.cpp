// A line of a ledger. Chance rarely finds its sum: what is a line up to that is given one, and is to come back.
#include "support/ledger.hpp"

#include "../fuzz.hpp"

namespace {

void read(std::string_view bytes) {
  fuzz::accepted([&] { support::parse_ledger_line(bytes); });
  nlohmann::json line;
  const bool within =
      fuzz::accepted([&] { line = support::parse_bounded_json(bytes, "a", support::ledger_line_limits); });
  if (!within || !line.is_object()) return;
  line["sum"] = support::ledger_sum(line);
  fuzz::accepted([&] { fuzz::hold(support::parse_ledger_line(line.dump()) == line, "a line comes back"); });
}

const fuzz::registered self("ledger", read);

}  // namespace
