// Which schedules can a table name? Those of figure 5.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/spec/schedule.hpp>
#include <string>
#include <vector>

namespace support {

namespace cn = crispnas;

inline const std::vector<std::string> schedule_names{"const", "log", "exp", "step", "linear"};

/// The value of a schedule of figure 5 by its name.
inline double schedule_at(const std::string& name, int epoch, int epochs) {
  namespace s = cn::schedules;
  if (name == "const") return s::constant::at(epoch, epochs);
  if (name == "log") return s::logarithmic::at(epoch, epochs);
  if (name == "exp") return s::exponential::at(epoch, epochs);
  if (name == "step") return s::step::at(epoch, epochs);
  if (name == "linear") return s::linear::at(epoch, epochs);
  throw cn::error("there is no schedule '" + name + "'.");
}

}  // namespace support
