// How does the library report bad data and bad options? By one exception type whose message says what is
// wrong, where, and what to do. (Mistakes in a spec never get here: they are compile-time errors.)
#pragma once

#include <stdexcept>

namespace crispnas {

/// Bad data or bad options. `what()` is one sentence or two meant for the user of a program: print it and
/// stop.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace crispnas
