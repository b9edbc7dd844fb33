// How large are the experiments behind a table? The paper's scale, one that two CPU cores run in an hour, or a file's. All of it is
// JSON, so that what a name means can be written out, changed and used again; it is printed with every table.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <crispnas/io/printable.hpp>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include "bounded_json.hpp"
#include "errors.hpp"
#include "suggest.hpp"

namespace support {

struct table_scale {
  std::string name = "cpu";
  std::int64_t images = 10000;   ///< the first so many of the training images, both halves together; 0: all
  std::int64_t held_out = 3000;  ///< the first so many test images; 0: all
  int channels = 16;
  int cells = 3;
  int partial = 4;
  int epochs = 3;
  std::int64_t batch_size = 32;
  double weight_rate = 0.1;
  double last_weight_rate = 0.0;
  double strength = 1.0;
  double travel =
      5.85;  ///< how far the steps of a search can move a logit of alpha or beta; the paper's 19,500 steps of 3e-4
  /// "searched": the cell is trained from scratch in the network that it was searched in; "derived": in the paper's network for
  /// CIFAR-10 by DARTS's recipe.
  std::string retrain = "searched";
  int retrain_epochs = 1;  ///< over all training images
  std::int64_t retrain_batch_size = 32;
  int retrain_channels = 36;  ///< of the derived network
  int retrain_cells = 20;     ///< of the derived network
  int random_cells = 2;       ///< for each seed and budget
  int imagenet_epochs = 10;   ///< of table 5, on all photographs
  std::int64_t imagenet_batch_size = 16;
  int imagenet_channels = 16;
  int imagenet_cells = 5;
};

/// What the names mean. The paper's: section 4.1. "tables" changes numbers for single tables: a schedule of tables 2 and 3 needs more
/// epochs than three to be told from another one, and there are many rows, so there the CPU's searches are of a smaller network and
/// see fewer images more often.
inline constexpr std::string_view paper_scale_text = R"({
  "name": "paper", "images": 0, "held_out": 0, "channels": 16, "cells": 8, "K": 4, "epochs": 50, "batch": 64,
  "weight_rate": 0.025, "last_weight_rate": 0, "strength": 1, "travel": 5.85,
  "retrain": "derived", "retrain_epochs": 600, "retrain_batch": 96, "retrain_channels": 36, "retrain_cells": 20,
  "imagenet_epochs": 250, "imagenet_batch": 1024, "imagenet_channels": 48, "imagenet_cells": 14,
  "random_cells": 1, "tables": {}
})";
inline constexpr std::string_view cpu_scale_text = R"({
  "name": "cpu", "images": 10000, "held_out": 3000, "channels": 16, "cells": 3, "K": 4, "epochs": 3, "batch": 32,
  "weight_rate": 0.1, "last_weight_rate": 0, "strength": 1, "travel": 5.85,
  "retrain": "searched", "retrain_epochs": 1, "retrain_batch": 32, "retrain_channels": 36, "retrain_cells": 20,
  "imagenet_epochs": 10, "imagenet_batch": 16, "imagenet_channels": 16, "imagenet_cells": 5,
  "random_cells": 2,
  "tables": {"2": {"channels": 8, "images": 2000, "held_out": 1500, "epochs": 10, "retrain_epochs": 3},
             "3": {"channels": 8, "images": 2000, "held_out": 1500, "epochs": 10, "retrain_epochs": 3}}
})";

namespace detail {

inline const std::vector<std::string>& scale_keys() {
  static const std::vector<std::string> keys{"name",
                                             "images",
                                             "held_out",
                                             "channels",
                                             "cells",
                                             "K",
                                             "epochs",
                                             "batch",
                                             "weight_rate",
                                             "last_weight_rate",
                                             "strength",
                                             "travel",
                                             "retrain",
                                             "retrain_epochs",
                                             "retrain_batch",
                                             "retrain_channels",
                                             "retrain_cells",
                                             "random_cells",
                                             "imagenet_epochs",
                                             "imagenet_batch",
                                             "imagenet_channels",
                                             "imagenet_cells",
                                             "tables"};
  return keys;
}

/// Whether a value is of the kind of a member, and what that kind is called.
inline bool is_of(const nlohmann::json& value, double) { return value.is_number(); }
inline bool is_of(const nlohmann::json& value, std::int64_t) { return value.is_number_integer(); }
inline const char* kind_of(double) { return "a number"; }
inline const char* kind_of(std::int64_t) { return "a whole number"; }

template <class Number>
void take_number(const nlohmann::json& json, const char* key, Number& into, double low, double high) {
  if (!json.contains(key)) return;
  const auto& value = json[key];
  const std::conditional_t<std::is_integral_v<Number>, std::int64_t, double> kind{};
  const bool fits =
      is_of(value, kind) && value.template get<double>() >= low && value.template get<double>() <= high;
  if (!fits) {
    throw usage_error(fmt::format("scale: \"{}\" is {}; it is to be {} from {:g} to {:g}.", key, value.dump(),
                                  kind_of(kind), low, high));
  }
  into = value.template get<Number>();
}

inline void take_word(const nlohmann::json& json, const char* key, std::string& into,
                      const std::vector<std::string>& valid = {}) {
  if (!json.contains(key)) return;
  if (!json[key].is_string())
    throw usage_error(fmt::format("scale: \"{}\" is {}; it is to be a text.", key, json[key].dump()));
  into = json[key].get<std::string>();
  for (const auto& word : valid) {
    if (word == into) return;
  }
  if (!valid.empty()) {
    throw usage_error(fmt::format("scale: \"{}\" is \"{}\"; it is to be {}{}", key, into,
                                  fmt::join(valid, " or "), did_you_mean(into, valid)));
  }
}

inline void read_scale(const nlohmann::json& json, table_scale& s) {
  if (!json.is_object()) throw usage_error("scale: it is to be a JSON object, { \"epochs\": 4, ... }.");
  for (const auto& [key, value] : json.items()) {
    const auto& keys = scale_keys();
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      throw usage_error("scale: there is no \"" + crispnas::printable_name(key) + "\"" +
                        did_you_mean(key, keys));
  }
  take_word(json, "name", s.name);
  take_number(json, "images", s.images, 0, 1e9);
  take_number(json, "held_out", s.held_out, 0, 1e9);
  take_number(json, "channels", s.channels, 1, 65536);
  take_number(json, "cells", s.cells, 3, 1000);  // of fewer, at L/3 and 2L/3, all are reduction cells
  take_number(json, "K", s.partial, 1, 4);
  if (s.partial == 3) throw usage_error("scale: \"K\" is 3; 1, 2 and 4 are compiled in.");
  take_number(json, "epochs", s.epochs, 1, 100000);
  take_number(json, "batch", s.batch_size, 2, 65536);
  take_number(json, "weight_rate", s.weight_rate, 0, 1e6);
  take_number(json, "last_weight_rate", s.last_weight_rate, 0, 1e6);
  take_number(json, "strength", s.strength, 0, 1e6);
  take_number(json, "travel", s.travel, 0, 1e6);
  take_word(json, "retrain", s.retrain, {"searched", "derived"});
  take_number(json, "retrain_epochs", s.retrain_epochs, 1, 100000);
  take_number(json, "retrain_batch", s.retrain_batch_size, 2, 65536);
  take_number(json, "retrain_channels", s.retrain_channels, 1, 65536);
  take_number(json, "retrain_cells", s.retrain_cells, 1, 1000);
  take_number(json, "random_cells", s.random_cells, 0, 1000);
  take_number(json, "imagenet_epochs", s.imagenet_epochs, 1, 100000);
  take_number(json, "imagenet_batch", s.imagenet_batch_size, 2, 65536);
  take_number(json, "imagenet_channels", s.imagenet_channels, 1, 65536);
  take_number(json, "imagenet_cells", s.imagenet_cells, 1, 1000);
}

}  // namespace detail

/// The scale that a file of the name `stem` says: only what differs from `cpu`. Throws crispnas::error that calls the file `name`.
inline nlohmann::json parse_scale(std::string_view text, const std::string& name, const std::string& stem) {
  const nlohmann::json given = parse_bounded_json(text, name);
  if (!given.is_object()) throw usage_error(name + " is no JSON object.");
  nlohmann::json whole = nlohmann::json::parse(cpu_scale_text);
  whole["tables"] = nlohmann::json::object();
  whole["name"] = stem;
  for (const auto& [key, value] : given.items()) whole[key] = value;
  return whole;
}

/// `paper`, `cpu`, or a file of the same form; a file says only what differs from `cpu`, whose changes for single tables it does not
/// take over. Throws usage_error that names the mistake.
inline nlohmann::json scale_document(const std::string& name_or_file) {
  if (name_or_file == "paper") return nlohmann::json::parse(paper_scale_text);
  if (name_or_file == "cpu") return nlohmann::json::parse(cpu_scale_text);
  std::error_code code;
  if (!std::filesystem::is_regular_file(name_or_file, code)) {
    throw usage_error("scale '" + name_or_file +
                      "' is neither 'paper' nor 'cpu' nor a file that can be read" +
                      did_you_mean(name_or_file, std::vector<std::string>{"paper", "cpu"}));
  }
  const std::string name = "scale '" + name_or_file + "'";
  const std::string stem = std::filesystem::path(name_or_file).stem().string();
  return or_usage_error(
      [&] { return parse_scale(read_bounded_text(name_or_file, json_limits{}.bytes), name, stem); });
}

/// The scale of one table ("1" to "5"); figures and curves take that of the table that they belong to.
inline table_scale scale_of_table(const nlohmann::json& document, int table) {
  table_scale s;
  detail::read_scale(document, s);
  if (!document.contains("tables")) return s;
  const auto& tables = document["tables"];
  if (!tables.is_object())
    throw usage_error("scale: \"tables\" is to be an object, { \"2\": { \"epochs\": 10 } }.");
  for (const auto& [key, value] : tables.items()) {
    if (key.size() != 1 || key[0] < '1' || key[0] > '5')
      throw usage_error("scale: \"tables\" has \"" + crispnas::printable_name(key) +
                        "\"; there are the tables 1 to 5.");
    if (value.contains("tables")) throw usage_error("scale: \"tables\" stands inside of \"tables\".");
  }
  const auto own = std::to_string(table);
  if (tables.contains(own)) detail::read_scale(tables[own], s);
  return s;
}

}  // namespace support
