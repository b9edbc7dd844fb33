// How do alpha and beta learn? At the weights as they are, at the weights one step ahead, or together with
// them.
#pragma once

#include <cstdint>

namespace crispnas {

/// `first` and `second` order are the two approximations of DARTS (section 2.3); `single_level` gives up the
/// two levels.
enum class search_order : std::uint8_t {
  first,         ///< bilevel, at the weights as they are (xi = 0)
  second,        ///< bilevel, at the weights one step ahead: about three times the cost
  single_level,  ///< one loss and one pass for weights, alpha and beta
};

}  // namespace crispnas
