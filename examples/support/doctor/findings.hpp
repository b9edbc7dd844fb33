// What was found, and is it well? One line for each thing that was looked at, with what to do where it is not; as a table and as JSON.
#pragma once

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace support {

enum class health {
  ok,
  warning,  ///< a search runs, but something may surprise
  problem   ///< a search would not run as it was asked for
};

inline const char* name_of(health h) {
  return h == health::ok ? "ok" : h == health::warning ? "warning" : "problem";
}

struct finding {
  health state = health::ok;
  std::string what;
  std::string found;
  std::string advice{};  ///< where it is not well
};

using findings = std::vector<finding>;

inline bool any_problem(const findings& all) {
  return std::any_of(all.begin(), all.end(), [](const finding& f) { return f.state == health::problem; });
}

inline void add(findings& all, findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// "ok       compiler              g++ 12.2", and what to do on a line of its own.
inline std::string to_text(const findings& all) {
  std::size_t widest = 0;
  for (const auto& f : all) widest = std::max(widest, f.what.size());
  std::string text;
  for (const auto& f : all) {
    std::string state = name_of(f.state);
    state.resize(9, ' ');
    std::string what = f.what;
    what.resize(widest + 2, ' ');
    text += state + what + f.found + "\n";
    if (!f.advice.empty()) text += std::string(state.size() + what.size(), ' ') + "-> " + f.advice + "\n";
  }
  return text;
}

inline nlohmann::json to_json(const findings& all) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& f : all) {
    nlohmann::json one{{"state", name_of(f.state)}, {"what", f.what}, {"found", f.found}};
    if (!f.advice.empty()) one["advice"] = f.advice;
    list.push_back(std::move(one));
  }
  return {{"would_run", !any_problem(all)}, {"findings", std::move(list)}};
}

}  // namespace support
