// How are photographs read that do not fit into memory? From a folder with one folder per class, as ImageNet is kept:
//   DIR/train/daisy/1.jpg, DIR/val/daisy/2.jpg. They are decoded as batches ask for them. What cannot be read is named and counted, and
// ends the run once it is more than a limit.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cctype>
#include <crispnas/data/batch_source.hpp>
#include <crispnas/data/colours.hpp>
#include <crispnas/data/window.hpp>
#include <crispnas/error.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "jpeg.hpp"
#include "listed_file.hpp"

namespace support {

inline constexpr std::size_t most_images = std::size_t{1} << 24;  ///< 13 times ImageNet
inline constexpr std::uint64_t most_image_bytes = std::uint64_t{64} << 20;

/// The names of what could not be read, counted once each, from any number of threads.
class unreadable_list {
 public:
  explicit unreadable_list(std::int64_t limit) : limit_(limit) {}

  /// Throws crispnas::error once there are more than the limit.
  void add(const std::string& file, const std::string& why) {
    const std::lock_guard lock(guard_);
    files_.emplace(file, why);
    if (static_cast<std::int64_t>(files_.size()) > limit_) throw crispnas::error(told());
  }
  std::int64_t size() const {
    const std::lock_guard lock(guard_);
    return static_cast<std::int64_t>(files_.size());
  }
  std::map<std::string, std::string> files() const {
    const std::lock_guard lock(guard_);
    return files_;
  }

 private:
  std::string told() const {
    std::string text = std::to_string(files_.size()) + " images cannot be read, more than the " +
                       std::to_string(limit_) + " that are accepted:";
    int shown = 0;
    for (const auto& [file, why] : files_) {
      if (++shown > 5) return text + "\n  ...";
      text += "\n  '" + file + "': " + why;
    }
    return text;
  }

  mutable std::mutex guard_;
  std::map<std::string, std::string> files_;
  std::int64_t limit_;
};

/// ImageNet's, of channels where 255 counts as 1.
inline const crispnas::normalization imagenet_normalization{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

/// The files of one split, by class.
struct image_files {
  std::vector<std::string> classes;  ///< names of their folders, sorted; the label is the place here
  std::vector<std::filesystem::path> files;
  std::vector<std::int64_t> labels;

  std::int64_t size() const { return static_cast<std::int64_t>(files.size()); }

  /// n images that take from every class alike, as far as it has them; 0: all.
  image_files some(std::int64_t n) const {
    if (n == 0 || n >= size()) return *this;
    std::vector<std::vector<std::size_t>> of_class(classes.size());
    for (std::size_t i = 0; i < files.size(); ++i) of_class[static_cast<std::size_t>(labels[i])].push_back(i);
    std::vector<std::size_t> taken;
    for (std::size_t round = 0; static_cast<std::int64_t>(taken.size()) < n; ++round) {
      for (const auto& members : of_class) {
        if (round < members.size() && static_cast<std::int64_t>(taken.size()) < n)
          taken.push_back(members[round]);
      }
    }
    std::sort(taken.begin(), taken.end());
    image_files part{classes, {}, {}};
    for (const std::size_t i : taken) {
      part.files.push_back(files[i]);
      part.labels.push_back(labels[i]);
    }
    return part;
  }
};

/// Lists `folder`. With `classes`, those are the labels, and a folder of another name is an error. Symbolic links are refused: they are
/// unreadable images, since they may lead anywhere. Throws crispnas::error, also for more than `most` files in a folder.
inline image_files list_images(const std::filesystem::path& folder, unreadable_list& unreadable,
                               const std::optional<std::vector<std::string>>& classes = std::nullopt,
                               std::size_t most = most_images) {
  namespace fs = std::filesystem;
  const std::string name = "image folder '" + folder.string() + "'";
  const auto fail = [&](const std::string& what) { throw crispnas::error(name + " " + what); };
  std::error_code code;
  if (!fs::exists(folder, code))
    fail("does not exist. Name the folder that holds train and val, each with one folder per class.");
  const auto entries = [&](const fs::path& of) {
    std::vector<fs::directory_entry> found;
    for (const auto& entry : fs::directory_iterator(of, code)) {
      if (found.size() == most) fail("has more than " + std::to_string(most) + " files in a folder.");
      found.push_back(entry);
    }
    if (code) fail("cannot be listed: " + code.message() + ".");
    std::sort(found.begin(), found.end());  // directories come in any order; labels may not
    return found;
  };
  image_files found;
  std::vector<fs::path> class_folders;
  for (const auto& entry : entries(folder)) {
    if (entry.is_symlink()) {
      unreadable.add(entry.path().string(), "it is a symbolic link");
    } else if (entry.is_directory()) {
      class_folders.push_back(entry.path());
      found.classes.push_back(entry.path().filename().string());
    }
  }
  if (class_folders.empty()) fail("holds no folders. There is to be one per class, with its images.");
  const std::vector<std::string> own = found.classes;
  if (classes) found.classes = *classes;
  for (std::size_t c = 0; c < class_folders.size(); ++c) {
    const auto label = std::find(found.classes.begin(), found.classes.end(), own[c]);
    if (label == found.classes.end()) fail("has a class '" + own[c] + "' that the training images lack.");
    for (const auto& entry : entries(class_folders[c])) {
      std::string ending = entry.path().extension().string();
      std::transform(ending.begin(), ending.end(), ending.begin(),
                     [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
      if (ending != ".jpg" && ending != ".jpeg") continue;
      if (entry.is_symlink() || !entry.is_regular_file()) {
        unreadable.add(entry.path().string(), entry.is_symlink() ? "it is a symbolic link" : "it is no file");
        continue;
      }
      found.files.push_back(entry.path());
      found.labels.push_back(label - found.classes.begin());
    }
  }
  if (found.files.empty()) fail("holds no .jpg or .jpeg files in the folders of its classes.");
  return found;
}

/// Decodes images of a folder into batches [B, 3, side, side], channels last in memory.
class folder_images {
 public:
  folder_images(image_files files, crispnas::window_options options,
                std::shared_ptr<unreadable_list> unreadable)
      : files_(std::move(files)), options_(options), unreadable_(std::move(unreadable)) {
    if (options_.side < 1 || options_.side > 4096)
      throw crispnas::error("images of side " + std::to_string(options_.side) +
                            "; it is to be from 1 to 4096.");
  }

  const image_files& files() const { return files_; }

  /// As it is seen in training; an image that cannot be read is replaced by the next one that can.
  crispnas::batch training_batch(std::span<const std::int64_t> indices,
                                 const crispnas::epoch_options& o) const {
    return batch_of(indices, o.device, o.dtype, [&](std::int64_t& index, float* out) {
      for (std::int64_t tries = 0; tries < files_.size(); ++tries, index = (index + 1) % files_.size()) {
        if (try_read(index, out, [&](int width, int height) {
              return crispnas::draw_window(options_, width, height, o.seed, o.epoch, index);
            }))
          return true;
      }
      throw crispnas::error("none of the images can be read.");
    });
  }

  /// As it is seen in evaluation; an image that cannot be read is left out.
  crispnas::batch evaluation_batch(std::span<const std::int64_t> indices, at::Device device,
                                   at::ScalarType dtype) const {
    return batch_of(indices, device, dtype, [&](const std::int64_t& index, float* out) {
      return try_read(index, out, [](int width, int height) {
        crispnas::window_draw draw;
        draw.window = crispnas::centre_window(width, height);
        return draw;
      });
    });
  }

 private:
  /// One image as out[side][side][3], 0 to 255; false where it cannot be read.
  template <class Draw>
  bool try_read(std::int64_t index, float* out, const Draw& draw_for) const {
    const auto& path = files_.files[static_cast<std::size_t>(index)];
    try {
      const auto bytes = read_listed_file(path, most_image_bytes);
      jpeg_decoder decoder(bytes);
      const crispnas::window_draw draw = draw_for(decoder.width(), decoder.height());
      const decoded_image image = decoder.decode(draw.window, options_.side);
      crispnas::resample(image.region(), image.scaled(draw.window), options_.side, draw.flip, out);
      crispnas::move_colours({out, static_cast<std::size_t>(3 * options_.side * options_.side)}, draw);
      return true;
    } catch (const crispnas::error& e) {
      unreadable_->add(path.string(), e.what());
    }
    return false;
  }

  template <class Read>
  crispnas::batch batch_of(std::span<const std::int64_t> indices, at::Device device, at::ScalarType dtype,
                           const Read& read) const {
    const std::int64_t side = options_.side;
    auto images = torch::empty({static_cast<std::int64_t>(indices.size()), side, side, 3}, torch::kFloat);
    float* out = images.mutable_data_ptr<float>();
    crispnas::batch made;
    std::vector<std::int64_t> labels;
    for (std::int64_t index : indices) {
      if (!read(index, out)) continue;
      normalize(out);
      out += 3 * side * side;
      made.indices.push_back(index);
      labels.push_back(files_.labels[static_cast<std::size_t>(index)]);
    }
    const auto count = static_cast<std::int64_t>(labels.size());
    made.images = images.narrow(0, 0, count).permute({0, 3, 1, 2}).to(device, dtype);
    made.labels = torch::tensor(labels, torch::kLong).to(device);
    return made;
  }

  void normalize(float* pixels) const {
    float factor[3];
    float offset[3];
    for (std::size_t c = 0; c < 3; ++c) {
      factor[c] = static_cast<float>(1 / (255 * imagenet_normalization.stddev[c]));
      offset[c] = static_cast<float>(-imagenet_normalization.mean[c] / imagenet_normalization.stddev[c]);
    }
    for (int i = 0; i < options_.side * options_.side; ++i, pixels += 3) {
      for (int c = 0; c < 3; ++c) pixels[c] = pixels[c] * factor[c] + offset[c];
    }
  }

  image_files files_;
  crispnas::window_options options_;
  std::shared_ptr<unreadable_list> unreadable_;
};

/// The images of a folder to train on. Order and content of the batches depend on seed and epoch alone.
inline crispnas::training_set training_set_of(std::shared_ptr<const folder_images> images) {
  const auto size = images->files().size();
  return {
      size, static_cast<std::int64_t>(images->files().classes.size()),
      [images = std::move(images), size](const crispnas::epoch_options& o) -> crispnas::batch_source {
        const auto order =
            std::make_shared<const std::vector<std::int64_t>>(crispnas::epoch_order(size, o.seed, o.epoch));
        const auto count = crispnas::batch_count(size, o.batch_size, o.drop_last);
        return {count, [images, order, o](std::int64_t i) {
                  const auto begin = static_cast<std::size_t>(i * o.batch_size);
                  const auto end = std::min(order->size(), begin + static_cast<std::size_t>(o.batch_size));
                  return images->training_batch(std::span(*order).subspan(begin, end - begin), o);
                }};
      }};
}

/// All of them in order, for evaluation.
inline crispnas::batch_source evaluation_source_of(std::shared_ptr<const folder_images> images,
                                                   const crispnas::sequential_options& o) {
  const auto size = images->files().size();
  return {crispnas::batch_count(size, o.batch_size, false),
          [images = std::move(images), size, o](std::int64_t i) {
            std::vector<std::int64_t> indices(
                static_cast<std::size_t>(std::min(o.batch_size, size - i * o.batch_size)));
            std::iota(indices.begin(), indices.end(), i * o.batch_size);
            return images->evaluation_batch(indices, o.device, o.dtype);
          }};
}

}  // namespace support
