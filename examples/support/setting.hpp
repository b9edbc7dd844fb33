// What do the experiments behind a table share? The images that are used, and the scale as searches and trainings take it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <crispnas/crispnas.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "datasets.hpp"
#include "derived_training.hpp"
#include "experiment.hpp"
#include "fingerprint.hpp"
#include "image_folder.hpp"
#include "pool.hpp"
#include "table_scale.hpp"

namespace support {

/// Photographs in class folders, for table 5.
struct photographs {
  training_images images;
  std::int64_t train = 0;
  std::int64_t held_out = 0;
  std::string fingerprint;                      ///< of names and sizes of the files
  std::shared_ptr<unreadable_list> unreadable;  ///< what is left out, links among it
};

/// Images and quantities that the searches of a table share.
struct setting {
  table_scale sizes;
  cn::labelled_images train;
  cn::labelled_images held_out;
  std::string data;                       ///< name of the data set
  std::string data_fingerprint;           ///< of all images and labels that are used
  scale search{};                         ///< `sizes` as a search takes them
  scale retraining{};                     ///< the same for training in the network of the search
  std::optional<photographs> transfer{};  ///< cells are trained on these instead
};

inline std::string fingerprint_of(const cn::labelled_images& images, const cn::labelled_images& held_out) {
  std::uint64_t state = fnv1a("", 0);
  for (const auto* part : {&images, &held_out}) {
    state = fnv1a(part->images().const_data_ptr(), static_cast<std::size_t>(part->images().numel()), state);
    state =
        fnv1a(part->labels().const_data_ptr(), static_cast<std::size_t>(part->labels().numel()) * 8, state);
  }
  return hex(state);
}

/// The first images of a data set, normalized by what is used of it, so that a folder with more files gives the same numbers.
inline setting make_setting(const table_scale& sizes, const std::string& name, const image_splits& all,
                            const at::Device& device) {
  const auto first = [](const cn::labelled_images& images, std::int64_t wanted) {
    return wanted == 0 ? images : images.head(wanted);
  };
  const auto part = first(all.train, sizes.images);
  const cn::labelled_images train(part.images(), part.labels(), part.classes());
  const auto held_out = first(all.held_out, sizes.held_out).normalized_like(train);
  setting s{sizes, train, held_out, name, fingerprint_of(train, held_out)};
  s.search.channels = sizes.channels;
  s.search.cells = sizes.cells;
  s.search.partial = sizes.partial;
  s.search.epochs = sizes.epochs;
  s.search.batch_size = sizes.batch_size;
  s.search.weight_rate = sizes.weight_rate;
  s.search.last_weight_rate = sizes.last_weight_rate;
  s.search.strength = sizes.strength;
  s.search.travel = sizes.travel;
  s.search.device = device;
  s.retraining = s.search;
  s.retraining.epochs = sizes.retrain_epochs;
  s.retraining.batch_size = sizes.retrain_batch_size;
  return s;
}

/// DIR/train and DIR/val with a folder for each class. Throws crispnas::error where they are not there.
inline photographs load_photographs(const std::filesystem::path& root) {
  unreadable_list links(std::numeric_limits<std::int64_t>::max());
  const auto train = list_images(root / "train", links);
  const auto held_out = list_images(root / "val", links, train.classes);
  photographs found;
  found.train = train.size();
  found.held_out = held_out.size();
  std::uint64_t state = fnv1a("", 0);
  for (const auto* part : {&train, &held_out}) {
    for (std::size_t i = 0; i < part->files.size(); ++i) {
      const auto name = fmt::format("{} {} {}\n", part->labels[i], part->files[i].filename().string(),
                                    std::filesystem::file_size(part->files[i]));
      state = fnv1a(name.data(), name.size(), state);
    }
  }
  found.fingerprint = hex(state);
  constexpr double unreadable_share = 0.01;
  const auto unreadable = std::make_shared<unreadable_list>(
      static_cast<std::int64_t>(unreadable_share * double(found.train + found.held_out)));
  for (const auto& [file, why] : links.files()) unreadable->add(file, why);
  found.unreadable = unreadable;
  const auto seen = [&](const image_files& files) {
    return std::make_shared<const folder_images>(files, cn::window_options{.side = 224}, unreadable);
  };
  found.images.train = training_set_of(seen(train));
  found.images.held_out = [images = seen(held_out)](std::int64_t batch_size, at::Device device) {
    return evaluation_source_of(images, {.batch_size = batch_size, .device = device});
  };
  return found;
}

/// How the network of a cell is trained: DARTS's recipe on CIFAR-10, or the paper's on photographs.
inline derived_training training_of(const setting& s, const cn::genotype& cell, std::uint64_t seed) {
  const auto& sizes = s.sizes;
  derived_training t{cell, cn::presets::cifar_network(static_cast<int>(s.train.classes())),
                     cn::presets::cifar_recipe()};
  if (s.transfer) {
    t.network = cn::presets::imagenet_network(static_cast<int>(s.transfer->images.train.classes));
    t.options = cn::presets::imagenet_recipe();
    t.network.channels = sizes.imagenet_channels;
    t.network.cells = sizes.imagenet_cells;
    t.options.epochs = sizes.imagenet_epochs;
    t.options.batch_size = sizes.imagenet_batch_size;
    // A run that is shorter than the paper's warms up for as large a part of it.
    t.options.warmup_epochs = std::min(5, sizes.imagenet_epochs / 10);
    t.options.rate = 0.5 * double(sizes.imagenet_batch_size) / 1024;
  } else {
    t.network.channels = sizes.retrain_channels;
    t.network.cells = sizes.retrain_cells;
    t.options.epochs = sizes.retrain_epochs;
    t.options.batch_size = sizes.retrain_batch_size;
  }
  t.network.seed = seed;
  t.network.device = s.search.device;
  t.options.seed = seed;
  t.options.workers = s.search.device.is_cuda() ? std::min(default_workers(), 16) : 0;
  return t;
}

}  // namespace support
