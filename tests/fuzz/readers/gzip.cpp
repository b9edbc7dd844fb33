// A gzip stream, however much it promises.
#include "support/gzip.hpp"

#include <algorithm>

#include "../fuzz.hpp"

namespace {

void read(std::string_view bytes) {
  const support::gunzip_limits limits;
  fuzz::accepted([&] {
    const auto out = support::gunzip(fuzz::as_bytes(bytes), "a", limits);
    fuzz::hold(out.size() <= std::max<std::uint64_t>(limits.small, limits.ratio * bytes.size()),
               "no bomb is unpacked");
  });
}

const fuzz::registered self("gzip", read);

}  // namespace
