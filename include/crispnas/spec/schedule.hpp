// How does a factor grow over the epochs? A schedule: a pure function of (epoch, epochs), epochs counted from
// 1 (figure 5).
#pragma once

#include <cmath>
#include <concepts>

namespace crispnas {

/// A schedule has `static double at(int epoch, int epochs)`, 1 <= epoch <= epochs. Your own is a struct with
/// that function.
template <class T>
concept schedule = requires(int epoch, int epochs) {
  { T::at(epoch, epochs) } -> std::convertible_to<double>;
};

namespace detail {

template <class T>
concept is_a_schedule = schedule<T>;

template <class T>
struct require_schedule {
  static_assert(is_a_schedule<T>,
                "crispnas::schedules: this type is no schedule. A schedule has static double at(int epoch, "
                "int epochs), epochs "
                "counted from 1.");
};

// <algorithm> alone would double the compile time of this layer.
template <class T>
constexpr T at_least(T low, T value) {
  return value < low ? low : value;
}
}  // namespace detail

namespace schedules {

/// Always 1.
struct constant {
  static double at(int, int) { return 1.0; }
};

/// (e - 1) / (E - 1).
struct linear {
  static double at(int epoch, int epochs) {
    return epochs <= 1 ? 1.0 : double(epoch - 1) / double(epochs - 1);
  }
};

/// ln e / ln E.
struct logarithmic {
  static double at(int epoch, int epochs) {
    return epochs <= 1 ? 1.0 : std::log(double(epoch)) / std::log(double(epochs));
  }
};

/// 2^((e - E) / 5) at 50 epochs; the 5 is a tenth of the epochs, so that shorter runs keep the shape.
struct exponential {
  static double at(int epoch, int epochs) { return std::exp2((epoch - epochs) / (0.1 * epochs)); }
};

/// 0, 1/3, 2/3, 1 by quarters of the run.
struct step {
  static double at(int epoch, int epochs) {
    const int quarter = (4 * epoch) / epochs;
    return quarter >= 3 ? 1.0 : quarter / 3.0;
  }
};

/// The epoch at which a delayed schedule begins: the paper's 8 of 50, as a fraction of the run, at least 1.
inline int delay_epoch(int epochs) {
  return detail::at_least(1, static_cast<int>(std::lround(epochs * 8.0 / 50.0)));
}

/// 0 before the 8th of 50 epochs, then S over what is left (section 4.2, table 3).
template <class S>
struct delayed {
  static_assert(sizeof(detail::require_schedule<S>) > 0, "crispnas::schedules::delayed: see the note.");
  static double at(int epoch, int epochs) {
    const int first = delay_epoch(epochs);
    return epoch < first ? 0.0 : S::at(epoch - first + 1, epochs - first + 1);
  }
};

}  // namespace schedules

/// The shifted functions of the authors' published code, with its 8 of 50 epochs as a fraction; for parity
/// only.
namespace authors_schedules {

/// 1 after the delay.
struct constant {
  static double at(int epoch, int epochs) { return epoch > schedules::delay_epoch(epochs) ? 1.0 : 0.0; }
};
/// (e - D) / (E - D) after the delay D.
struct linear {
  static double at(int epoch, int epochs) {
    const int d = schedules::delay_epoch(epochs);
    return epoch < d ? 0.0 : double(epoch - d) / detail::at_least(1, epochs - d);
  }
};
/// ln(e - D + 1) / ln(E - D): slightly above 1 at the end, as published.
struct logarithmic {
  static double at(int epoch, int epochs) {
    const int d = schedules::delay_epoch(epochs);
    return epoch < d ? 0.0
                     : std::log(double(epoch - d + 1)) / std::log(detail::at_least(2.0, double(epochs - d)));
  }
};
/// 2^((e - E) / 5 of 50) after the delay.
struct exponential {
  static double at(int epoch, int epochs) {
    return epoch > schedules::delay_epoch(epochs) ? schedules::exponential::at(epoch, epochs) : 0.0;
  }
};
/// 0, 1/3, 2/3, 1 by quarters of what follows the delay.
struct step {
  static double at(int epoch, int epochs) {
    const int d = schedules::delay_epoch(epochs);
    return epoch <= d ? 0.0 : schedules::step::at(epoch - d, detail::at_least(1, epochs - d));
  }
};
/// sigmoid(e / 5 - E / 10) at 50 epochs.
struct sigmoid {
  static double at(int epoch, int epochs) {
    return 1.0 / (1.0 + std::exp(-(epoch - 0.5 * epochs) / (0.1 * epochs)));
  }
};
/// sigmoid((e - D) / 4 - (E - D) / 8).
struct delayed_sigmoid {
  static double at(int epoch, int epochs) {
    const int d = schedules::delay_epoch(epochs);
    const double quarter = 4.0 * epochs / 50.0;
    return epoch < d ? 0.0
                     : 1.0 / (1.0 + std::exp(-((epoch - d) / quarter - (epochs - d) / (2.0 * quarter))));
  }
};

}  // namespace authors_schedules

}  // namespace crispnas
