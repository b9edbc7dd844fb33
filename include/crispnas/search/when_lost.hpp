// What does a run do about a step in which a number was lost?
#pragma once

#include <cstdint>

namespace crispnas {

/// NaN or infinity in a loss, in the gradient, in a weight, in alpha, beta or the variances of batch norm.
enum class lost_numbers : std::uint8_t {
  abort,      ///< throws crispnas::error, at most one step later
  skip,       ///< the step changes nothing (but Adam counts it); costs a copy of the network a step
  roll_back,  ///< back to where the epoch began, or was gone on from, and through it again without that step
};

}  // namespace crispnas
