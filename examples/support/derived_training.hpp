// The network of a found cell, trained from scratch by a recipe: long enough that a stopped run should not begin again, so it keeps what
// it needs to go on in a file, and goes on bit for bit.
#pragma once

#include <chrono>
#include <crispnas/io/state.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/train/trainer.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

namespace support {

namespace cn = crispnas;

/// What is trained on, and what is measured on.
struct training_images {
  cn::training_set train;
  std::function<cn::batch_source(std::int64_t batch_size, at::Device device)> held_out;
};

struct derived_training {
  cn::genotype cell;
  cn::derived_options network;
  cn::train_options options;
  std::filesystem::path unfinished;  ///< the file that a stopped run goes on from; empty: none is kept
  double save_after = 600;           ///< seconds of training between two states of it
};

/// Everything that decides the result, beside images and seed.
inline nlohmann::json to_json(const derived_training& t) {
  const auto& o = t.options;
  return {{"channels", t.network.channels},
          {"cells", t.network.cells},
          {"auxiliary", t.network.auxiliary},
          {"epochs", o.epochs},
          {"batch", o.batch_size},
          {"rate", o.rate},
          {"last_rate", o.last_rate},
          {"schedule", o.schedule == cn::rate_schedule::cosine ? "cosine" : "linear"},
          {"warmup_epochs", o.warmup_epochs},
          {"momentum", o.momentum},
          {"weight_decay", o.weight_decay},
          {"clip", o.clip},
          {"label_smoothing", o.label_smoothing},
          {"auxiliary_weight", o.auxiliary_weight},
          {"drop_path", o.drop_path},
          {"crop_padding", o.augment.crop_padding},
          {"flip", o.augment.flip},
          {"cutout", o.augment.cutout}};
}

/// Trains, or goes on training, and measures. The file of an unfinished training is removed by the caller, once the result is kept.
inline cn::evaluation train_derived(const derived_training& t, const training_images& images) {
  cn::any_derived_network net(t.cell, t.network);
  cn::trainer training(net, t.options);
  auto state = cn::published_state(net);
  for (const auto& [name, value] : training.momentum()) state.emplace_back("momentum." + name, value);
  int first = 1;
  if (!t.unfinished.empty() && std::filesystem::exists(t.unfinished)) {
    cn::load_state(state, t.unfinished);
    for (const auto& [key, value] : cn::safetensors_file(t.unfinished).metadata()) {
      if (key == "epochs_done") first = std::stoi(value) + 1;
    }
  }
  auto saved = std::chrono::steady_clock::now();
  for (const auto& epoch : training.run(images.train, first)) {
    const auto now = std::chrono::steady_clock::now();
    if (t.unfinished.empty() || std::chrono::duration<double>(now - saved).count() < t.save_after) continue;
    cn::save_state(state, t.unfinished, {{"epochs_done", std::to_string(epoch.epoch)}});
    saved = now;
  }
  return cn::evaluate(net, images.held_out(t.options.batch_size, t.network.device), t.options.numbers,
                      t.options.workers);
}

}  // namespace support
