// Are the data sets what they are taken for? Every file is read as a search reads it, and its SHA-256 is compared with the known ones.
#pragma once

#include <algorithm>
#include <array>
#include <crispnas/data/cifar_records.hpp>
#include <crispnas/data/file.hpp>
#include <crispnas/data/idx_header.hpp>
#include <crispnas/io/sha256.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "../gzip.hpp"
#include "../jpeg.hpp"
#include "../nas_bench_table.hpp"
#include "findings.hpp"

namespace support {

struct known_file {
  std::string_view sha256;
  std::string_view is;
  std::string_view name{};  ///< of files without gzip, which are the same whoever packed them
  std::size_t bytes = 0;    ///< of the same
};

/// Of files as they are distributed, and of the same without gzip.
inline constexpr std::array<known_file, 17> known_files{{
    // Debian 12, package dataset-fashion-mnist 0.0~git20200523.55506a9-1, and the same decompressed
    {"b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
     "Fashion-MNIST, training images, Debian's"},
    {"0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
     "Fashion-MNIST, training labels, Debian's"},
    {"cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
     "Fashion-MNIST, test images, Debian's"},
    {"8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
     "Fashion-MNIST, test labels, Debian's"},
    {"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", "Fashion-MNIST, training images",
     "train-images-idx3-ubyte", 60000 * 784 + 16},
    {"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", "Fashion-MNIST, training labels",
     "train-labels-idx1-ubyte", 60000 + 8},
    {"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", "Fashion-MNIST, test images",
     "t10k-images-idx3-ubyte", 10000 * 784 + 16},
    {"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", "Fashion-MNIST, test labels",
     "t10k-labels-idx1-ubyte", 10000 + 8},
    // MNIST as storage.googleapis.com/cvdf-datasets/mnist has it
    {"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", "MNIST, training images"},
    {"3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", "MNIST, training labels"},
    {"8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", "MNIST, test images"},
    {"f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", "MNIST, test labels"},
    {"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", "MNIST, training images",
     "train-images-idx3-ubyte", 60000 * 784 + 16},
    {"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", "MNIST, training labels",
     "train-labels-idx1-ubyte", 60000 + 8},
    {"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", "MNIST, test images",
     "t10k-images-idx3-ubyte", 10000 * 784 + 16},
    {"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", "MNIST, test labels",
     "t10k-labels-idx1-ubyte", 10000 + 8},
    // cs.toronto.edu/~kriz/cifar-10-binary.tar.gz; of its other members no hash was at hand
    {"cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5", "CIFAR-10, data_batch_1.bin",
     "data_batch_1.bin", std::size_t{10000} * 3073},
}};

/// What the file of that digest is; empty where it is not known.
inline std::string_view known_as(std::string_view sha256) {
  const auto place =
      std::find_if(known_files.begin(), known_files.end(), [&](const auto& f) { return f.sha256 == sha256; });
  return place == known_files.end() ? std::string_view() : place->is;
}

namespace detail {

inline std::string digest_of(std::span<const std::byte> bytes) {
  return crispnas::sha256::of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// A file that was read: whether it is known, and what is in it otherwise. `name` and `bytes` are those of its content without gzip. Files
/// with the name and the length of known ones and other bytes are suspect: that is what a flipped bit leaves.
inline finding read_file_finding(const std::string& file, std::string_view known, const std::string& content,
                                 const std::string& sha256, std::string_view name, std::size_t bytes) {
  if (!known.empty()) return {health::ok, file, std::string(known) + ": " + content};
  const std::string sum = "; SHA-256 " + sha256.substr(0, 16) + "...";
  const auto looks_like = std::find_if(known_files.begin(), known_files.end(),
                                       [&](const auto& f) { return f.name == name && f.bytes == bytes; });
  if (looks_like == known_files.end())
    return {health::ok, file, "unknown file, which can be read: " + content + sum};
  return {health::warning, file,
          "has the name and the length of '" + std::string(looks_like->is) +
              "', but other bytes: " + content + sum,
          "Unless it is another set of the same shape, it is damaged: fetch it again."};
}

inline findings idx_findings(const std::filesystem::path& folder) {
  findings all;
  for (const std::string part : {"train", "t10k"}) {
    std::uint64_t images = 0;
    std::uint64_t labels = 0;
    for (const bool is_images : {true, false}) {
      const std::string stem = part + (is_images ? "-images-idx3-ubyte" : "-labels-idx1-ubyte");
      std::error_code code;
      auto path = folder / stem;
      if (!std::filesystem::exists(path, code)) path += ".gz";
      const std::string name = path.filename().string();
      try {
        const gunzip_limits limits;
        const auto packed = crispnas::read_data_file(path, limits.bytes);
        const bool is_packed = path.extension() == ".gz";
        const auto bytes = is_packed ? gunzip(packed, path.string(), limits) : packed;
        std::string content;
        if (is_images) {
          const auto [n, h, w] = crispnas::check_idx_images(bytes, path.string());
          images = n;
          content = std::to_string(n) + " images of " + std::to_string(h) + " x " + std::to_string(w);
        } else {
          labels = crispnas::check_idx_labels(bytes, path.string(), 10).size();
          content = std::to_string(labels) + " labels";
        }
        const std::string digest = digest_of(packed);
        std::string_view known = known_as(digest);
        if (known.empty() && is_packed) known = known_as(digest_of(bytes));
        all.push_back(read_file_finding(name, known, content, digest, stem, bytes.size()));
      } catch (const crispnas::error& e) {
        all.push_back({health::problem, name, e.what(),
                       "Fetch it again; on Debian: apt-get install --reinstall dataset-fashion-mnist."});
      }
    }
    if (images != labels && images > 0 && labels > 0)
      all.push_back({health::problem, part,
                     std::to_string(images) + " images, but " + std::to_string(labels) + " labels",
                     "Take both from the same set."});
  }
  return all;
}

/// The files `prefix`*.bin of a folder in one layout.
inline findings cifar_findings(const std::filesystem::path& folder,
                               const crispnas::detail::cifar_layout& layout, const std::string& prefix) {
  std::vector<std::filesystem::path> paths;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".bin")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty())
    return {{health::problem, prefix + "*.bin", "is missing in '" + folder.string() + "'",
             "Get the binary version from https://www.cs.toronto.edu/~kriz/cifar.html."}};
  findings all;
  for (const auto& path : paths) {
    const std::string name = path.filename().string();
    try {
      const auto bytes = crispnas::read_data_file(path, std::uint64_t{1} << 28);
      const auto count = crispnas::detail::cifar_record_count(static_cast<std::int64_t>(bytes.size()), layout,
                                                              "'" + path.string() + "'");
      std::array<std::uint8_t, crispnas::detail::cifar_pixels> pixels{};
      std::int64_t label = 0;
      const auto record = static_cast<std::size_t>(crispnas::detail::cifar_record_bytes(layout));
      for (std::int64_t r = 0; r < count; ++r) {
        std::istringstream stream(
            {reinterpret_cast<const char*>(bytes.data()) + static_cast<std::size_t>(r) * record, record});
        crispnas::detail::read_cifar_records(stream, 1, layout,
                                             "'" + path.string() + "' from record " + std::to_string(r),
                                             pixels.data(), &label);
      }
      const std::string digest = digest_of(bytes);
      all.push_back(read_file_finding(name, known_as(digest), std::to_string(count) + " images of 32 x 32",
                                      digest, name, bytes.size()));
    } catch (const crispnas::error& e) {
      all.push_back({health::problem, name, e.what(), "Fetch it again."});
    }
  }
  return all;
}

/// Decodes the first photograph of a class. Throws crispnas::error.
inline std::string first_photograph(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto ending = entry.path().extension();
    if (entry.is_regular_file() && !entry.is_symlink() &&
        (ending == ".jpg" || ending == ".jpeg" || ending == ".JPEG"))
      paths.push_back(entry.path());
  }
  if (paths.empty()) throw crispnas::error("'" + folder.string() + "' holds no .jpg files");
  const auto path = *std::min_element(paths.begin(), paths.end());
  try {
    const auto bytes = crispnas::read_data_file(path, std::uint64_t{64} << 20);
    jpeg_decoder decoder(bytes);
    decoder.decode(crispnas::centre_window(decoder.width(), decoder.height()), 224);
    return std::to_string(paths.size()) + " in the first, which begin with one of " +
           std::to_string(decoder.width()) + " x " + std::to_string(decoder.height());
  } catch (const crispnas::error& e) {
    throw crispnas::error("'" + path.string() + "': " + e.what());
  }
}

/// Folders with one folder for each class.
inline findings photograph_findings(const std::filesystem::path& folder) {
  findings all;
  for (const char* part : {"train", "val"}) {
    const auto of = folder / part;
    try {
      std::vector<std::filesystem::path> classes;
      for (const auto& entry : std::filesystem::directory_iterator(of)) {
        if (entry.is_directory() && !entry.is_symlink()) classes.push_back(entry.path());
      }
      if (classes.empty()) throw crispnas::error("'" + of.string() + "' holds no folders");
      const auto first = *std::min_element(classes.begin(), classes.end());
      all.push_back({health::ok, part,
                     std::to_string(classes.size()) + " classes of photographs, " + first_photograph(first)});
    } catch (const std::exception& e) {
      all.push_back({health::problem, part, e.what(),
                     "train and val each hold one folder for every class, with .jpg files."});
    }
  }
  return all;
}

inline findings table_findings(const std::filesystem::path& file) {
  try {
    const nas_bench_table table(file);
    return {{health::ok, file.filename().string(),
             "NAS-Bench-201: " + std::to_string(table.entries().size()) + " cells"}};
  } catch (const crispnas::error& e) {
    return {{health::problem, file.filename().string(), e.what(), "Only nasbench201 needs it."}};
  }
}

}  // namespace detail

/// The data sets in `folder` or in its subfolders of the usual names; none where there are none.
inline findings data_findings(const std::filesystem::path& folder, bool look_inside = true) {
  std::error_code code;
  const auto has = [&](const std::string& name) { return std::filesystem::exists(folder / name, code); };
  const auto has_bin = [&](const std::string& prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(".bin")) return true;
    }
    return false;
  };
  findings all;
  if (has("train-images-idx3-ubyte") || has("train-images-idx3-ubyte.gz"))
    add(all, detail::idx_findings(folder));
  if (has_bin("data_batch_")) {
    add(all, detail::cifar_findings(folder, {1, 0, 10}, "data_batch_"));
    add(all, detail::cifar_findings(folder, {1, 0, 10}, "test_batch"));
  } else if (has("train.bin")) {
    add(all, detail::cifar_findings(folder, {2, 1, 100}, "train"));
    add(all, detail::cifar_findings(folder, {2, 1, 100}, "test"));
  } else if (std::filesystem::is_directory(folder / "train", code)) {
    add(all, detail::photograph_findings(folder));
  }
  if (has("nats_bench.csv")) add(all, detail::table_findings(folder / "nats_bench.csv"));
  if (!look_inside) return all;
  for (const char* name : {"fashion-mnist", "mnist", "cifar-10", "cifar-10-batches-bin", "cifar-100",
                           "cifar-100-binary", "flowers", "nasbench-201"}) {
    if (std::filesystem::is_directory(folder / name, code)) add(all, data_findings(folder / name, false));
  }
  return all;
}

}  // namespace support
