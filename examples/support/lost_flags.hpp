// What does a program do about a step in which a number was lost? --when-lost and --lost-limit, for searches and trainings alike.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <crispnas/search/when_lost.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace support {

namespace cn = crispnas;

/// In the order of cn::lost_numbers.
inline const std::vector<std::string> lost_policies{"abort", "skip", "roll-back"};

inline std::string lost_policy_name(cn::lost_numbers policy) {
  return lost_policies.at(static_cast<std::size_t>(policy));
}

/// Both flags, into `options` of a search or a training.
template <class Options>
void add_lost_flags(CLI::App& app, Options& options) {
  app.add_option_function<std::string>(
         "--when-lost",
         [&options](const std::string& name) {
           const auto place = std::find(lost_policies.begin(), lost_policies.end(), name);
           options.when_lost = static_cast<cn::lost_numbers>(place - lost_policies.begin());
         },
         "where a step loses a number (NaN, infinity): end, undo the step, or begin the epoch again without "
         "it")
      ->check(one_of(lost_policies))
      ->default_str(lost_policy_name(options.when_lost));
  app.add_option("--lost-limit", options.lost_limit, "steps that may be lost before the run ends anyway")
      ->check(between(0, 1000000));
}

/// The options without the policy: a run that ended for the steps that it lost may go on with another one.
template <class Options>
Options without_lost_policy(Options options) {
  options.when_lost = Options{}.when_lost;
  options.lost_limit = Options{}.lost_limit;
  return options;
}

/// `json` and the policy where it is not the default one: the fingerprints of ledgers and checkpoints that exist have no key for it.
template <class Options>
nlohmann::json with_lost_policy(nlohmann::json json, const Options& options) {
  if (options.when_lost == cn::lost_numbers::abort) return json;
  json["when_lost"] = lost_policy_name(options.when_lost);
  json["lost_limit"] = options.lost_limit;
  return json;
}

}  // namespace support
