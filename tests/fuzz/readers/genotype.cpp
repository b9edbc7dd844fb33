// The text of a genotype, in any dialect. A refusal shows the place on a terminal; what is accepted comes back from every dialect that can
// express it.
#include <algorithm>
#include <crispnas/genotype/compare.hpp>
#include <crispnas/genotype/text.hpp>

#include "../fuzz.hpp"

namespace {

namespace cn = crispnas;

void read(std::string_view bytes) {
  const cn::genotype_reading found = cn::read_genotype(bytes);
  if (!found.ok) {
    const std::string message = cn::detail::fault_message(bytes, found.fault);
    fuzz::hold(message.size() < 1000, "a refusal is short");
    fuzz::hold(
        std::all_of(message.begin(), message.end(), [](char c) { return c == '\n' || (c >= 32 && c < 127); }),
        "a refusal is printable");
    return;
  }
  fuzz::hold(cn::parse_genotype(cn::to_text(found.value)) == found.value,
             "a genotype comes back to the letter");
  fuzz::hold(cn::why_not(found.value, cn::dialect::edge_list).empty(), "the edge list can express it");
  for (const auto d : cn::dialects_for(found.value)) {
    const auto again = cn::read_genotype(cn::to_text(found.value, d));
    fuzz::hold(again.ok, "a dialect that can express it is read");
    fuzz::hold(cn::equivalent(again.value, found.value), "a dialect that can express it says the same");
  }
}

const fuzz::registered self("genotype", read);

}  // namespace
