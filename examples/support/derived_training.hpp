// The network of a found cell, trained from scratch by a recipe: long enough that a stopped run should not begin again, so it keeps what
// it needs to go on in checkpoints, and goes on bit for bit.
#pragma once

#include <chrono>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/train/trainer.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "train_json.hpp"

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
  std::filesystem::path unfinished;  ///< the folder that a stopped run goes on from; empty: none is kept
  double save_after = 600;           ///< seconds of training between two checkpoints
};

/// Everything that decides the result, beside images and seed.
inline nlohmann::json to_json(const derived_training& t) {
  nlohmann::json json = train_options_json(t.options);
  json["channels"] = t.network.channels;
  json["cells"] = t.network.cells;
  json["auxiliary"] = t.network.auxiliary;
  return json;
}

/// Trains, or goes on training, and measures. The folder of an unfinished training is removed by the caller, once the result is kept.
inline cn::evaluation train_derived(const derived_training& t, const training_images& images) {
  cn::any_derived_network net(t.cell, t.network);
  cn::trainer training(net, t.options);
  std::optional<cn::checkpoints> kept;
  if (!t.unfinished.empty()) {
    kept.emplace(t.unfinished, cn::checkpoint_options{.configuration = {{"training", to_json(t).dump()}},
                                                      .device = t.network.device.str()});
    kept->load(training.state());
  }
  auto saved = std::chrono::steady_clock::now();
  for (const auto& epoch : training.run(images.train)) {
    const auto now = std::chrono::steady_clock::now();
    if (!kept || epoch.epoch == t.options.epochs) continue;
    if (std::chrono::duration<double>(now - saved).count() < t.save_after) continue;
    kept->save(training.state(), training.position_text());
    saved = now;
  }
  return cn::evaluate(net, images.held_out(t.options.batch_size, t.network.device), t.options.numbers,
                      t.options.workers);
}

}  // namespace support
