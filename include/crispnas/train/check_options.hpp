// Options of a training that cannot work are refused before anything runs.
#pragma once

#include <crispnas/data/augment.hpp>
#include <crispnas/search/option_checks.hpp>
#include <crispnas/train/train_options.hpp>
#include <string>

namespace crispnas {

/// Throws crispnas::error that names the option and what it is to be.
inline void check_train_options(const train_options& o) {
  const detail::option_checks check("crispnas::trainer");
  if (o.epochs < 1) check.fail("epochs = " + std::to_string(o.epochs) + "; a training needs at least 1.");
  if (o.batch_size < 2)
    check.fail("batch_size = " + std::to_string(o.batch_size) + "; batch norm needs at least 2 images.");
  if (o.warmup_epochs < 0 || o.warmup_epochs >= o.epochs) {
    check.fail("warmup_epochs = " + std::to_string(o.warmup_epochs) +
               "; it is to be from 0 up to, not including, the " + std::to_string(o.epochs) + " epochs.");
  }
  if (o.workers < 0 || o.workers > 256)
    check.fail("workers = " + std::to_string(o.workers) + "; it is to be from 0 to 256.");
  check.not_negative("lost_limit", o.lost_limit);
  check.not_negative("rate", o.rate);
  check.not_negative("last_rate", o.last_rate);
  check.not_negative("weight_decay", o.weight_decay);
  check.not_negative("clip", o.clip);
  check.not_negative("auxiliary_weight", o.auxiliary_weight);
  check.below_one("momentum", o.momentum);
  check.below_one("label_smoothing", o.label_smoothing);
  check.below_one("drop_path", o.drop_path);
  if (o.nesterov && o.momentum == 0.0) check.fail("Nesterov's momentum needs a momentum above 0.");
  check_augmentation(o.augment);
}

}  // namespace crispnas
