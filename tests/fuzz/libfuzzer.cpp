// The one reader that is linked, under libFuzzer.
#include <cstdint>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::reader read = fuzz::readers().begin()->second;
  read({reinterpret_cast<const char*>(data), size});
  return 0;
}
