// Is an option within its range? What is not is named with its value and what it is to be.
#pragma once

#include <cmath>
#include <crispnas/error.hpp>
#include <crispnas/search/lost_numbers.hpp>
#include <limits>
#include <string>
#include <utility>

namespace crispnas::detail {

/// The checks of one class's options; each throws crispnas::error.
class option_checks {
 public:
  explicit option_checks(std::string who) : who_(std::move(who)) {}

  [[noreturn]] void fail(const std::string& what) const { throw error(who_ + ": " + what); }
  void not_negative(const char* name, double value) const {
    within(name, value, 0, std::numeric_limits<double>::max(), "0 or more, and finite");
  }
  void fraction(const char* name, double value) const {
    within(name, value, 0, 1, "a fraction between 0 and 1");
  }
  void below_one(const char* name, double value) const {
    within(name, value, 0, std::nextafter(1.0, 0.0), "from 0 up to, not including, 1");
  }

 private:
  void within(const char* name, double value, double low, double high, const char* range) const {
    if (!(value >= low && value <= high))
      fail(std::string(name) + " = " + shown(value) + "; it is to be " + range + ".");
  }
  std::string who_;
};

}  // namespace crispnas::detail
