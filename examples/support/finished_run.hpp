// Has the run of a folder ended? Then its configuration lies beside its results, so that a scheduler's second start of the same command
// finds nothing to do, instead of doing all of it again over the results.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/io/configuration_text.hpp>
#include <crispnas/io/printable.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "bounded_json.hpp"
#include "errors.hpp"
#include "write_file.hpp"

namespace support {

namespace cn = crispnas;

class finished_run {
 public:
  explicit finished_run(const std::filesystem::path& folder) : path_(folder / "finished.json") {}

  /// The run of `configuration` has ended, and its results are on the disk.
  void mark(const cn::text_pairs& configuration) const {
    nlohmann::json all = nlohmann::json::object();
    for (const auto& [key, value] : configuration) all[key] = value;
    write_file(path_, all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  /// A run begins here: none has ended.
  void forget() const {
    std::error_code ignored;  // there is none
    std::filesystem::remove(path_, ignored);
  }

  /// Throws ended_early of exit code 0 where the run of `configuration` has ended, usage_error where another one has.
  void check(const cn::text_pairs& configuration) const {
    std::error_code code;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path_, code))) return;
    const std::string where = "'" + path_.parent_path().string() + "'";
    const auto changed = cn::differences(read(), configuration);
    if (changed.empty())
      throw ended_early(
          "this run has ended: its results are in " + where + ". There is nothing to go on with.", 0);
    std::string text = "there is no checkpoint to go on from in " + where +
                       ", which has the results of a run of another configuration:";
    for (const auto& difference : changed) text += "\n  " + difference;
    throw usage_error(text + "\nTake another --out, or leave --resume out to begin again there.");
  }

 private:
  cn::text_pairs read() const {
    const auto json = parse_bounded_json(read_bounded_text(path_, json_limits{}.bytes), path_.string());
    cn::text_pairs there;
    if (!json.is_object()) refuse();
    for (const auto& [key, value] : json.items()) {
      if (!value.is_string()) refuse();
      there.emplace_back(key, value.get<std::string>());
    }
    return there;
  }
  [[noreturn]] void refuse() const {
    throw usage_error("'" + path_.string() +
                      "' does not say which run has ended. Remove it, or leave --resume out to begin again.");
  }

  std::filesystem::path path_;
};

}  // namespace support
