// How do the programs read their command line? With CLI11, plus what it lacks: exit code 2 for every usage
// error, the nearest valid flag or value, and a check of the output folder before hours of work depend on it.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <crispnas/io/made_folder.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "suggest.hpp"

namespace support {

namespace detail {
inline std::optional<double> number_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return std::nullopt;
  return value;
}
inline std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}
}  // namespace detail

/// "; did you mean 'x'?": the nearest number among numbers, the nearest word among words.
inline std::string nearest_of(const std::string& given, const std::vector<std::string>& valid) {
  const auto wanted = detail::number_of(given);
  if (!wanted || std::isnan(*wanted)) return did_you_mean(given, valid);
  const std::string* best = nullptr;
  double distance = 0.0;
  for (const auto& word : valid) {
    const auto value = detail::number_of(word);
    if (!value) return did_you_mean(given, valid);
    if (best == nullptr || std::abs(*value - *wanted) < distance)
      best = &word, distance = std::abs(*value - *wanted);
  }
  return best == nullptr ? std::string() : "; did you mean '" + *best + "'?";
}

/// A check for a number with bounds, both allowed: `->check(support::between(1, 100))`.
inline CLI::Validator between(double low, double high) {
  const std::string range = "from " + detail::short_text(low) + " to " + detail::short_text(high);
  return CLI::Validator(
      [low, high, range](std::string& given) {
        const auto value = detail::number_of(given);
        if (!value || std::isnan(*value)) return "'" + given + "' is no number " + range + ".";
        if (*value >= low && *value <= high) return std::string();
        return "'" + given + "' is not " + range + "; the nearest is " +
               detail::short_text(std::clamp(*value, low, high)) + ".";
      },
      "{" + range + "}");
}

/// A check for a finite number that is 0 or more.
inline CLI::Validator not_negative() {
  return CLI::Validator(
      [](std::string& given) {
        const auto value = detail::number_of(given);
        if (!value || !std::isfinite(*value)) return "'" + given + "' is no number of 0 or more.";
        return *value >= 0 ? std::string() : "'" + given + "' is below 0; the nearest is 0.";
      },
      "{0 or more}");
}

/// A check for an option with a fixed list of values: `app.add_option("--method",
/// m)->check(support::one_of({"da2s", "darts"}))`.
inline CLI::Validator one_of(std::vector<std::string> valid) {
  const std::string list = CLI::detail::join(valid, ", ");
  return CLI::Validator(
      [valid = std::move(valid), list](std::string& given) {
        if (std::find(valid.begin(), valid.end(), given) != valid.end()) return std::string();
        const std::string guess = nearest_of(given, valid);
        return "'" + given + "' is not one of " + list + (guess.empty() ? "." : guess);
      },
      "{" + list + "}");
}

namespace detail {

// Every long flag that could have been meant: those of the program, and of the subcommand in use.
inline std::vector<std::string> known_flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
  }
  for (const CLI::App* sub : app.get_subcommands()) {
    const auto more = known_flags(*sub);
    flags.insert(flags.end(), more.begin(), more.end());
  }
  return flags;
}

inline std::string unexpected_argument(const CLI::App& app) {
  const auto extras = app.remaining(true);
  if (extras.empty()) return "one argument too many.";
  std::string given = extras.front();
  if (given.empty() || given.front() != '-') return "unexpected argument '" + given + "'.";
  given = given.substr(0, given.find('='));
  const std::string guess = did_you_mean(given, known_flags(app));
  return "unknown flag '" + given + "'" + (guess.empty() ? ". See --help." : guess);
}

// A program with subcommands, and none of them named.
inline std::string missing_command(const CLI::App& app) {
  std::vector<std::string> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(sub->get_name());
  }
  std::string list = "name one of the commands " + CLI::detail::join(commands, ", ") + ". See --help.";
  const auto extras = app.remaining(true);
  if (extras.empty()) return list;
  const std::string guess = did_you_mean(extras.front(), commands);
  return "'" + extras.front() + "' is no command" + (guess.empty() ? "; " + list : guess);
}

}  // namespace detail

/// Parses the command line. Returns an exit code if the program is to end here: 0 after --help or --version,
/// 2 with a message on stderr after any mistake.
inline std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  const std::string name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : app.get_name();
  const auto refuse = [&](const std::string& message) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), message.c_str());
    return exit_usage;
  };
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ExtrasError&) {
    return refuse(detail::unexpected_argument(app));
  } catch (const CLI::RequiredError& e) {
    const bool no_command = app.get_require_subcommand_min() > 0 && app.get_subcommands().empty();
    return refuse(no_command ? detail::missing_command(app) : e.what());
  } catch (const CLI::ParseError& e) {
    return refuse(e.what());
  }
}

/// The command line as a shell takes it again: the program's name, and its arguments in quotes where they need them.
inline std::string command_text(int argc, const char* const* argv) {
  std::string text;
  for (int i = 0; i < argc; ++i) {
    std::string word = i == 0 ? std::filesystem::path(argv[0]).filename().string() : argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_=./:,+@%") == std::string::npos;
    if (!plain) {
      std::string quoted = "'";
      for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      word = quoted + "'";
    }
    text += (i == 0 ? "" : " ") + word;
  }
  return text;
}

/// Makes `folder` if need be and writes a file into it, so that a run of hours does not fail when it saves.
/// Throws usage_error.
inline void check_output_folder(const std::filesystem::path& folder,
                                crispnas::file_calls& calls = crispnas::system_files()) {
  const std::string name = "output folder '" + folder.string() + "'";
  if (folder.empty()) throw usage_error("output folder: the name is empty. Name a folder to write to.");
  std::error_code code;
  if (std::filesystem::exists(folder, code) && !std::filesystem::is_directory(folder, code)) {
    throw usage_error(name + " is not a folder. Name another one.");
  }
  try {
    crispnas::make_folder(folder, calls);
  } catch (const crispnas::error& e) {
    throw usage_error(name + " cannot be made: " + e.what() + " Name another one.");
  }
  const auto probe = folder / ".crispnas-write-check";
  const bool written = static_cast<bool>(std::ofstream(probe) << "x" << std::flush);
  std::filesystem::remove(probe, code);
  if (!written)
    throw usage_error(name + " cannot be written to. Name another one, or change its permissions.");
}

}  // namespace support
