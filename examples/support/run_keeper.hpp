// How does a program keep a run that takes hours? It saves checkpoints on the way and when a signal asks it to end, and goes on from
// them with --resume.
#pragma once

#include <CLI/CLI.hpp>
#include <crispnas/io/checked_file.hpp>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/io/file_calls.hpp>
#include <crispnas/io/generations.hpp>
#include <crispnas/io/printable.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "finished_run.hpp"
#include "keeper.hpp"
#include "leftovers.hpp"
#include "stop_signals.hpp"

namespace support {

struct keeper_flags {
  std::vector<std::string> every{"1", "epochs"};
  bool resume = false;
  bool keep = false;
};

inline void add_keeper_flags(CLI::App& app, keeper_flags& flags) {
  app.add_option(
         "--checkpoint-every", flags.every,
         "N steps, or N epochs: how often the run is saved in the folder checkpoints of --out; 0: never")
      ->expected(1, 2)
      ->type_name("N UNIT");
  app.add_flag("--resume", flags.resume, "go on from the newest checkpoint that holds, if there is one");
  app.add_flag("--keep-checkpoints", flags.keep, "do not remove the checkpoints when the run has ended");
  app.footer(
      "Exit codes: 0 done; 1 failed; 2 called in a way that cannot work; 128 + N stopped by signal N after "
      "finishing a step and\n"
      "saving (143 SIGTERM, 130 SIGINT, 138 SIGUSR1, 129 SIGHUP): go on with --resume. What an epoch is "
      "measured "
      "by is finished,\n"
      "too; after the last epoch the run ends as without a signal. A second signal ends at once, as the "
      "first "
      "one does while\n"
      "images are read.");
}

/// How often a run is saved.
struct keeper_interval {
  std::int64_t count = 1;  ///< 0: never
  bool of_steps = false;
};

/// {"50", "steps"}; throws usage_error.
inline keeper_interval parse_interval(const std::vector<std::string>& words) {
  const auto refuse = [&](const std::string& what) {
    throw usage_error("--checkpoint-every: " + what +
                      " Write for example --checkpoint-every 100 steps, or 1 epochs, or 0.");
  };
  const std::string& number = words.front();
  const bool digits =
      !number.empty() && number.size() <= 9 && number.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) refuse("'" + number + "' is no whole number.");
  const std::int64_t count = std::stoll(number);
  if (count == 0) return {0, false};
  if (words.size() < 2) refuse("of what? " + number + " steps or epochs.");
  std::string unit = words[1];
  if (!unit.ends_with('s')) unit += 's';
  if (unit != "steps" && unit != "epochs") refuse("'" + words[1] + "' is neither steps nor epochs.");
  return {count, unit == "steps"};
}

/// Every value of nested objects under a name such as options.clip.
inline void add_settings(cn::text_pairs& pairs, const nlohmann::json& json, const std::string& prefix = {}) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      add_settings(pairs, value, name);
    } else {
      pairs.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

class run_keeper : public keeper {
 public:
  /// Throws usage_error where the folder has checkpoints and --resume is not given, and ended_early where it is given and the run has
  /// ended.
  run_keeper(const std::filesystem::path& out, const keeper_flags& flags, cn::checkpoint_options options)
      : out_(out.string()),
        interval_(parse_interval(flags.every)),
        resume_(flags.resume),
        keep_(flags.keep),
        configuration_(options.configuration),
        outputs_(options.outputs),
        finished_(out) {
    if (interval_.count == 0 && resume_)
      throw usage_error(
          "--resume and --checkpoint-every 0: without checkpoints there is nothing to go on from.");
    saved_.emplace(out, std::move(options));
    remove_leftovers(out);  // with the lock of the checkpoints, so that no other run is at work there
    if (saved_->exist() && !resume_ && !only_the_beginning()) {
      throw usage_error(
          "folder '" + out_ +
          "' has the checkpoints of a run that did not end. Give --resume to go on with it, take "
          "another --out, or remove '" +
          saved_->folder().string() + "' to begin again.");
    }
    if (!resume_) saved_->remove_all();
    if (resume_ && !saved_->exist()) finished_.check(configuration_);
    if (interval_.count == 0) saved_.reset();  // only asked whether there are any
  }

  /// `open` opens the files that grow with the run: anew, or to go on with them. begin() calls it before anything is saved, so that no
  /// checkpoint has the length of a file of another run.
  void on_begin(std::function<void(bool goes_on)> open) { open_ = std::move(open); }

  /// Puts the newest checkpoint back where there is one and it was asked for; otherwise saves the beginning, so that a folder that cannot
  /// take a checkpoint is found before hours depend on it.
  void begin(std::function<cn::named_state()> state, std::function<std::string()> position) override {
    state_ = std::move(state);
    position_ = std::move(position);
    if (saved_) {
      if (const auto from = saved_->load(state_())) {
        resumed_ = true;
        newest_ = *from;
        std::printf("goes on from %s\n", cn::printable_name(*from).c_str());
      } else if (resume_) {
        std::printf("there is no checkpoint in '%s' yet: begins at the beginning\n", out_.c_str());
      }
      std::fflush(stdout);
    }
    if (!resumed_) finished_.forget();
    if (open_) open_(resumed_);
    if (!resumed_) save(the_beginning);
  }
  /// Whether a checkpoint was put back.
  bool resumed() const { return resumed_; }

  void after_step() override {
    if (interval_.of_steps && ++steps_ % interval_.count == 0) save(position_());
  }
  /// After what an epoch is measured by: no other one begins where a signal has come.
  void after_epoch(int epoch) override {
    if (stop()) end_early();
    if (!interval_.of_steps && interval_.count > 0 && epoch % interval_.count == 0) save(position_());
  }

  /// Whether a signal has asked the program to end.
  bool stop() const override { return signals_.received() != 0; }

  [[noreturn]] void end_early() override {
    const int signal = signals_.received();
    std::string text = "stopped by " + std::string(stop_signals::name(signal)) + " at " + position_() + "; ";
    if (saved_) {
      save(position_());
      text += "saved in '" + saved_->folder().string() + "': go on with --resume.";
    } else {
      text += "nothing was saved (--checkpoint-every 0).";
    }
    throw ended_early(text, 128 + signal);
  }

  /// Runs `body`; an error that ends it says where the last checkpoint is, too.
  template <class Body>
  void keep(Body&& body) {
    try {
      body();
    } catch (const ended_early&) {
      throw;
    } catch (const std::exception& e) {
      if (newest_.empty()) throw;
      const std::string folder = "'" + saved_->folder().string() + "'";
      throw cn::error(
          message_of_exception(e) +
          (newest_ == the_beginning
               ? "\nThe only checkpoint is that of the beginning: begin again, with --resume or without."
               : "\nThe last checkpoint, " + cn::printable_name(newest_) + ", is in " + folder +
                     ": go on with --resume."));
    }
  }

  /// The run has ended and its results are written.
  void done() {
    for (const auto& name : outputs_)
      crispnas::detail::synced_bytes(crispnas::system_files(), std::filesystem::path(out_) / name);
    finished_.mark(configuration_);
    if (saved_ && !keep_) saved_->remove_all();
  }

 private:
  static constexpr const char* the_beginning = "the beginning";  ///< the position before the first step

  /// Nothing was trained yet, so nothing is lost where the run is begun again: one that fails in its first step is not to leave a folder
  /// that the next one, with better settings, is refused in.
  bool only_the_beginning() const {
    const cn::generations all(saved_->folder());
    const auto numbers = all.numbers();
    try {
      return numbers.size() == 1 && all.checked(numbers.front()).position == the_beginning;
    } catch (const cn::error&) {
      return false;  // damaged: what it was is not known
    }
  }

  void save(const std::string& position) {
    if (!saved_) return;
    saved_->save(state_(), position);
    newest_ = position;
  }

  std::string out_;
  keeper_interval interval_;
  bool resume_;
  bool keep_;
  cn::text_pairs configuration_;
  std::vector<std::string> outputs_;  ///< files of the folder that grow
  finished_run finished_;
  std::optional<cn::checkpoints> saved_;
  stop_signals signals_;
  std::function<cn::named_state()> state_;
  std::function<std::string()> position_;
  std::function<void(bool)> open_;
  std::string newest_;  ///< position of the newest checkpoint; empty: there is none
  std::int64_t steps_ = 0;
  bool resumed_ = false;
};

}  // namespace support
