// The network of a found cell, trained from scratch by a recipe, and measured.
#pragma once

#include <crispnas/train/trainer.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "keeper.hpp"
#include "train_json.hpp"

namespace support {

/// What is trained on, and what is measured on.
struct training_images {
  cn::training_set train;
  std::function<cn::batch_source(std::int64_t batch_size, at::Device device)> held_out;
};

struct derived_training {
  cn::genotype cell;
  cn::derived_options network;
  cn::train_options options;
};

/// Everything that decides the result, beside images and seed.
inline nlohmann::json to_json(const derived_training& t) {
  nlohmann::json json = train_options_json(t.options);
  json["channels"] = t.network.channels;
  json["cells"] = t.network.cells;
  json["auxiliary"] = t.network.auxiliary;
  return json;
}

/// Trains and measures. Throws crispnas::error where a number is lost. With a `keeper` the training is saved on the way, and goes on from
/// what was saved.
inline cn::evaluation train_derived(const derived_training& t, const training_images& images,
                                    keeper* saved_by = nullptr) {
  cn::any_derived_network net(t.cell, t.network);
  cn::train_options options = t.options;
  if (saved_by != nullptr) {
    options.on_step = [&](const cn::step_progress& progress) {
      if (t.options.on_step) t.options.on_step(progress);
      saved_by->after_step();
    };
    options.stop = [&] { return saved_by->stop(); };
  }
  cn::trainer training(net, options);
  if (saved_by != nullptr)
    saved_by->begin([&] { return training.state(); }, [&] { return training.position_text(); });
  for (const auto& epoch : training.run(images.train)) {
    if (saved_by != nullptr) saved_by->after_epoch(epoch.epoch);
  }
  if (training.stopped() && saved_by != nullptr) saved_by->end_early();
  return cn::evaluate(net, images.held_out(t.options.batch_size, t.network.device), t.options.numbers,
                      t.options.workers);
}

}  // namespace support
