// How far has an epoch come? For progress bars.
#pragma once

#include <cstdint>

namespace crispnas {

struct step_progress {
  int epoch;  ///< from 1
  int epochs;
  std::int64_t step;  ///< from 1
  std::int64_t steps;
};

}  // namespace crispnas
