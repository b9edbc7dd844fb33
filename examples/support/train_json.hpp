// A recipe as JSON: what a training leaves beside its results, and what tells one training from another.
#pragma once

#include <crispnas/train/train_options.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "lost_flags.hpp"

namespace support {

namespace cn = crispnas;

inline nlohmann::json train_options_json(const cn::train_options& o) {
  nlohmann::json json{{"epochs", o.epochs},
                      {"batch", o.batch_size},
                      {"rate", o.rate},
                      {"last_rate", o.last_rate},
                      {"schedule", o.schedule == cn::rate_schedule::cosine ? "cosine" : "linear"},
                      {"warmup_epochs", o.warmup_epochs},
                      {"momentum", o.momentum},
                      {"nesterov", o.nesterov},
                      {"weight_decay", o.weight_decay},
                      {"clip", o.clip},
                      {"label_smoothing", o.label_smoothing},
                      {"auxiliary_weight", o.auxiliary_weight},
                      {"drop_path", o.drop_path},
                      {"crop_padding", o.augment.crop_padding},
                      {"flip", o.augment.flip},
                      {"cutout", o.augment.cutout},
                      {"numbers", o.numbers == cn::precision::full ? "full" : "bfloat16"},
                      {"channels_last", o.channels_last}};
  return with_lost_policy(std::move(json), o);
}

}  // namespace support
