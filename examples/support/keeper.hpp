// What does a run that takes long tell whoever keeps it? Enough to save it on the way, to end it, and to go on with it.
#pragma once

#include <crispnas/io/named_state.hpp>
#include <functional>
#include <string>

namespace support {

namespace cn = crispnas;

class keeper {
 public:
  virtual ~keeper() = default;

  /// From here on the run can be saved: `state` is all that it is, `position` is for people. Puts back what was saved of it before.
  virtual void begin(std::function<cn::named_state()> state, std::function<std::string()> position) = 0;
  virtual void after_step() = 0;
  virtual void after_epoch(int epoch) = 0;
  /// Whether the run is to end, after the step that it is in.
  virtual bool stop() const = 0;
  /// After a stop: saves and throws ended_early.
  [[noreturn]] virtual void end_early() = 0;
};

}  // namespace support
