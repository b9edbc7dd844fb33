// Can a search with these options work? What cannot is refused by name before anything is computed.
#pragma once

#include <crispnas/search/option_checks.hpp>
#include <crispnas/search/search_options.hpp>
#include <string>

namespace crispnas {

/// Throws crispnas::error that names the option, its value and its range.
inline void check_search_options(const search_options& o) {
  const detail::option_checks check("crispnas::searcher");
  if (o.epochs < 1) check.fail("epochs = " + std::to_string(o.epochs) + "; a search needs at least 1.");
  if (o.batch_size < 2)
    check.fail("batch_size = " + std::to_string(o.batch_size) + "; batch norm needs at least 2 images.");
  if (o.lost_limit < 0)
    check.fail("lost_limit = " + std::to_string(o.lost_limit) + "; it is to be 0 or more.");
  check.not_negative("weight_rate", o.weight_rate);
  check.not_negative("last_weight_rate", o.last_weight_rate);
  check.not_negative("alpha_rate", o.alpha_rate);
  check.not_negative("beta_rate", o.beta_rate);
  check.not_negative("weight_decay", o.weight_decay);
  check.not_negative("arch_decay", o.arch_decay);
  check.not_negative("clip", o.clip);
  check.not_negative("strength", o.strength);
  check.fraction("alpha_warmup", o.alpha_warmup);
  check.fraction("beta_warmup", o.beta_warmup);
  check.below_one("momentum", o.momentum);
  check.below_one("adam_beta1", o.adam_beta1);
  check.below_one("adam_beta2", o.adam_beta2);
}

}  // namespace crispnas
