// How does a run survive its process? It saves its state in generations, each whole or not at all, and goes on from
// the newest one that holds:
//
//   cn::checkpoints saved("run", {.configuration = cn::configuration_text(search)});
//   saved.load(search.state());  // nothing where there is none yet
//   for (const auto& epoch : search.run(data)) saved.save(search.state(), search.position_text());
#pragma once

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <crispnas/error.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/generations.hpp>
#include <crispnas/io/made_folder.hpp>
#include <crispnas/io/named_state.hpp>
#include <crispnas/io/run_lock.hpp>
#include <crispnas/io/safetensors.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace crispnas {

struct checkpoint_options {
  text_pairs configuration{};  ///< what has to be the same for a run to go on
  std::vector<std::string>
      outputs{};  ///< files of the run's folder that grow: cut to their length then on loading
  std::string device = "cpu";
  std::size_t keep = 2;  ///< generations
  std::function<void(const std::string&)> log = [](const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
  };
  file_calls* calls = &system_files();
};

/// The checkpoints of one run, in the folder `checkpoints` of its own. While it lives nobody else can write there.
/// Throws crispnas::error. A run that begins where there are checkpoints loads one of them first.
class checkpoints {
 public:
  explicit checkpoints(const std::filesystem::path& run_folder, checkpoint_options options = {})
      : options_(std::move(options)),
        run_folder_(run_folder),
        folder_(made(run_folder, *options_.calls)),
        lock_(folder_, *options_.calls),
        all_(folder_, *options_.calls) {
    all_.clean();
  }

  /// Whether there are any, valid or not.
  bool exist() const { return !all_.numbers().empty(); }

  /// Goes on from the newest generation that holds: puts its values back, cuts the outputs, returns its position.
  /// Nothing where there is none. Throws crispnas::error, and changes nothing, where there are some but none
  /// holds, where the configuration differs, or where the state is of another run.
  std::optional<std::string> load(const named_state& state) {
    const auto numbers = all_.numbers();
    // Bounded by what the state has, generously: that another configuration's differs is to be said by its keys.
    std::uint64_t most = std::uint64_t{1} << 30;
    for (const auto& entry : state.entries()) most += 4 * entry.value().nbytes();
    std::string rejected;
    for (const auto number : numbers) {
      generations::checked_file found;
      try {
        found = all_.checked_with(number, state_name, most);
      } catch (const error& e) {
        const std::string line =
            "checkpoint '" + all_.path_of(number).string() + "' does not hold: " + e.what();
        options_.log(line);
        rejected += "\n  " + line;
        continue;
      }
      use(found.manifest, std::move(found.bytes), state);
      good_ = {number};
      begun_ = true;
      return found.manifest.position;
    }
    if (numbers.empty()) return std::nullopt;
    throw error("folder '" + folder_.string() + "' has checkpoints, but none holds:" + rejected +
                "\nPut back a copy of one, or remove the folder to begin again.");
  }

  /// Saves a generation, then removes older ones beyond those to keep. `position` is for people. An error leaves
  /// the earlier generations as they were.
  void save(const named_state& state, const std::string& position) {
    const auto numbers = all_.numbers();
    if (!numbers.empty() && !begun_) {
      throw error("folder '" + folder_.string() +
                  "' has the checkpoints of another run. Load them first, or take another folder.");
    }
    begun_ = true;
    checkpoint_manifest manifest;
    manifest.generation = numbers.empty() ? 1 : numbers.front() + 1;
    manifest.position = position;
    manifest.libtorch = TORCH_VERSION;
    manifest.device = options_.device;
    manifest.threads = static_cast<std::uint64_t>(at::get_num_threads());
    manifest.configuration = options_.configuration;
    const named_tensors values = state.values();
    const std::uint64_t need = bytes_of(manifest, values);
    check_room(need);
    for (const auto& name : options_.outputs)
      manifest.outputs.push_back({name, detail::synced_bytes(*options_.calls, run_folder_ / name)});
    all_.write(manifest, need, [&](const std::filesystem::path& folder) {
      const auto facts = write_safetensors(folder / state_name, values, {}, *options_.calls);
      return std::vector<checkpoint_manifest::file>{{state_name, facts.bytes, facts.sha256}};
    });
    good_.push_back(manifest.generation);
    after_saving(manifest.generation);
  }

  /// Removes all of them: for a run that has ended. The newest goes last, and stays where an older one cannot be removed, which would be
  /// gone on from otherwise. What stays is told to the log.
  void remove_all() {
    auto numbers = all_.numbers();
    std::reverse(numbers.begin(), numbers.end());
    for (const auto number : numbers) {
      if (!remove(number)) return;
    }
    const auto latest = folder_ / latest_name;
    if (options_.calls->unlink(latest.c_str()) != 0 && errno != ENOENT)
      options_.log("file '" + latest.string() + "' cannot be removed" + detail::because(errno) + ".");
    good_.clear();
  }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  static constexpr const char* state_name = "state.safetensors";
  static constexpr const char* latest_name = "LATEST";  ///< for people: loading looks for itself

  static std::filesystem::path made(const std::filesystem::path& run_folder, file_calls& calls) {
    std::filesystem::path folder = run_folder / "checkpoints";
    make_folder(folder, calls);
    return folder;
  }

  void use(const checkpoint_manifest& manifest, std::optional<std::string> bytes, const named_state& state) {
    const auto folder = all_.path_of(manifest.generation);
    const std::string name = "checkpoint '" + folder.string() + "'";
    std::string differing;
    for (const auto& line : differences(manifest.configuration, options_.configuration))
      differing += "\n  " + line;
    if (!differing.empty()) {
      throw error(name + " is of another configuration:" + differing +
                  "\nGo on with the same configuration, or take another folder.");
    }
    if (!bytes) throw error(name + ": its manifest names no " + state_name + ". It is of another program.");
    for (const auto& output : manifest.outputs) check_output(output, name);
    try {
      state.restore(read_safetensors(safetensors_file((folder / state_name).string(), std::move(*bytes))));
    } catch (const error& e) {
      throw error(name + ": " + e.what());
    }
    for (const auto& output : manifest.outputs) cut(output);
    const auto changed = [&](const char* what, const std::string& then, const std::string& now) {
      if (then != now)
        options_.log(name + " was made with " + what + " " + printable_name(then) + ", not " + now +
                     ": results may differ in their last bits.");
    };
    changed("LibTorch", manifest.libtorch, TORCH_VERSION);
    changed("crispnas", manifest.library, std::string(library_version));
    changed("device", manifest.device, options_.device);
    changed("a number of threads of", std::to_string(manifest.threads),
            std::to_string(at::get_num_threads()));
  }

  void check_output(const checkpoint_manifest::output& output, const std::string& name) const {
    const auto path = run_folder_ / output.name;
    std::error_code code;
    const auto status = std::filesystem::symlink_status(path, code);
    if (std::filesystem::is_symlink(status)) {
      throw error(name + ": file '" + path.string() +
                  "' is a symbolic link, and would be cut where it leads. Put the file itself there.");
    }
    const std::uint64_t bytes =
        std::filesystem::is_regular_file(status) ? std::filesystem::file_size(path, code) : 0;
    if (bytes < output.bytes) {
      throw error(name + ": file '" + path.string() + "' has " + std::to_string(bytes) + " bytes, but had " +
                  std::to_string(output.bytes) +
                  " when it was made. Put it back, or begin again in another folder.");
    }
  }

  /// What was written after the checkpoint is written again.
  void cut(const checkpoint_manifest::output& output) const {
    const auto path = run_folder_ / output.name;
    std::error_code code;
    if (!std::filesystem::exists(path, code)) return;
    const auto length = static_cast<std::int64_t>(output.bytes);
    if (detail::uninterrupted([&] { return options_.calls->truncate(path.c_str(), length); }) != 0) {
      throw error("file '" + path.string() + "' cannot be cut to its length at the checkpoint" +
                  detail::because(errno) + ".");
    }
  }

  /// About what a generation takes on the disk, and not less.
  static std::uint64_t bytes_of(const checkpoint_manifest& manifest, const named_tensors& values) {
    std::uint64_t need = 2 * detail::manifest_body(manifest).size();
    for (const auto& [name, tensor] : values) need += tensor.nbytes() + 4 * name.size() + 128;
    return need;
  }

  void check_room(std::uint64_t need) const {
    std::uint64_t room = 0;
    if (options_.calls->free_bytes(folder_.c_str(), room) == 0 && room < need) {
      throw error("no checkpoint can be written to '" + folder_.string() + "': it needs " + bytes_text(need) +
                  ", but " + bytes_text(room) + " are free there. Earlier checkpoints are as they were.");
    }
  }

  /// The checkpoint is there: what goes wrong now is told and costs only room.
  void after_saving(std::uint64_t newest) {
    try {
      write_text(folder_ / latest_name, generation_name(newest) + "\n", *options_.calls);
    } catch (const error& e) {
      options_.log(e.what());
    }
    while (good_.size() > std::max<std::size_t>(options_.keep, 1)) good_.erase(good_.begin());
    for (const auto number : all_.numbers()) {
      if (std::find(good_.begin(), good_.end(), number) != good_.end()) continue;
      remove(number);
    }
  }

  bool remove(std::uint64_t number) {
    if (all_.remove(number)) return true;
    options_.log("checkpoint '" + all_.path_of(number).string() +
                 "' is not needed any more, but cannot be removed" + detail::because(errno) + ".");
    return false;
  }

  checkpoint_options options_;
  std::filesystem::path run_folder_;
  std::filesystem::path folder_;
  run_lock lock_;
  generations all_;
  std::vector<std::uint64_t> good_;  ///< that this run has loaded or saved, oldest first
  bool begun_ = false;               ///< what is in the folder is of this run
};

}  // namespace crispnas
