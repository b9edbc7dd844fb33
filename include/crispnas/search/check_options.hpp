// Can a search with these options work? What cannot is refused by name before anything is computed.
#pragma once

#include <cmath>
#include <crispnas/error.hpp>
#include <crispnas/search/lost_numbers.hpp>
#include <crispnas/search/search_options.hpp>
#include <limits>
#include <string>

namespace crispnas {

/// Throws crispnas::error that names the option, its value and its range.
inline void check_search_options(const search_options& o) {
  const auto fail = [](const std::string& what) { throw error("crispnas::searcher: " + what); };
  if (o.epochs < 1) fail("epochs = " + std::to_string(o.epochs) + "; a search needs at least 1.");
  if (o.batch_size < 2)
    fail("batch_size = " + std::to_string(o.batch_size) + "; batch norm needs at least 2 images.");
  if (o.lost_limit < 0) fail("lost_limit = " + std::to_string(o.lost_limit) + "; it is to be 0 or more.");
  const auto bounded = [&](const char* name, double value, double low, double high, const char* range) {
    if (!(value >= low && value <= high))
      fail(std::string(name) + " = " + shown(value) + "; it is to be " + range + ".");
  };
  constexpr double finite = std::numeric_limits<double>::max();
  const double below_one = std::nextafter(1.0, 0.0);
  const char* positive = "0 or more, and finite";
  const char* fraction = "a fraction between 0 and 1";
  const char* decay = "from 0 up to, not including, 1";
  bounded("weight_rate", o.weight_rate, 0, finite, positive);
  bounded("last_weight_rate", o.last_weight_rate, 0, finite, positive);
  bounded("alpha_rate", o.alpha_rate, 0, finite, positive);
  bounded("beta_rate", o.beta_rate, 0, finite, positive);
  bounded("weight_decay", o.weight_decay, 0, finite, positive);
  bounded("arch_decay", o.arch_decay, 0, finite, positive);
  bounded("clip", o.clip, 0, finite, positive);
  bounded("strength", o.strength, 0, finite, positive);
  bounded("alpha_warmup", o.alpha_warmup, 0, 1, fraction);
  bounded("beta_warmup", o.beta_warmup, 0, 1, fraction);
  bounded("momentum", o.momentum, 0, below_one, decay);
  bounded("adam_beta1", o.adam_beta1, 0, below_one, decay);
  bounded("adam_beta2", o.adam_beta2, 0, below_one, decay);
}

}  // namespace crispnas
