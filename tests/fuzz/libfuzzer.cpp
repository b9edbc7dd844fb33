// The one reader that is linked, under libFuzzer. An input may take a second of the processor.
#include <cstdint>
#include <ctime>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::reader read = fuzz::readers().begin()->second;
  const std::clock_t begin = std::clock();
  read({reinterpret_cast<const char*>(data), size});
  fuzz::hold(std::clock() - begin < CLOCKS_PER_SEC, "an input takes less than a second");
  return 0;
}
