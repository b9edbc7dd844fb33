// How does a program end when something is wrong? 2: it was called in a way that cannot work; 1: something
// else failed. In both cases with one message on stderr.
#pragma once

#include <algorithm>
#include <cerrno>
#include <crispnas/error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace support {

inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

/// The program was called with something that cannot work: exit code 2.
struct usage_error : crispnas::error {
  using crispnas::error::error;
};

/// The program was asked to end before its work was done: it does, in order, with an exit code of its own.
struct ended_early : std::runtime_error {
  ended_early(const std::string& what, int code) : std::runtime_error(what), exit_code(code) {}
  int exit_code;
};

/// What `body` returns; an error of the library in it is the caller's mistake (a folder that is not there, a number that does not fit).
template <class Body>
decltype(auto) or_usage_error(Body&& body) {
  try {
    return body();
  } catch (const crispnas::error& e) {
    throw usage_error(e.what());
  }
}

/// What an exception says, without the backtrace that LibTorch appends to its own (c10::Error::what).
inline std::string message_of_exception(const std::exception& e) {
  const std::string_view what = e.what();
  std::string text(what.substr(0, std::min(what.find("\nException raised from "), what.find("\nframe #"))));
  if (dynamic_cast<const crispnas::error*>(&e) != nullptr) return text;  // says itself what to do
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&e) != nullptr;
  if (no_memory) text = "there is not enough memory";
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (says("not enough memory") || says("out of memory") || says("can't allocate memory"))
    text += "\nTake fewer channels or cells, or a smaller batch.";
  return text;
}

/// What `body` returns; an error in it is told as one of `name`, a piece of work among others. That it was asked to end is no error.
template <class Body>
decltype(auto) named_work(const std::string& name, Body&& body) {
  try {
    return body();
  } catch (const ended_early&) {
    throw;
  } catch (const usage_error&) {
    throw;
  } catch (const std::exception& e) {
    throw crispnas::error(name + ": " + message_of_exception(e));
  }
}

/// Runs `body` and turns what it throws into a message and an exit code. `body` returns the exit code, or
/// nothing for 0. A pipe that nobody reads any more and a file that may not grow are errors of the call that meets them, with a message,
/// not the end of the process.
template <class Body>
int guarded(const char* program, Body&& body) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const auto say = [&](const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", program, message_of_exception(e).c_str());
  };
  try {
    int code = 0;
    if constexpr (requires { static_cast<int>(body()); }) {
      code = body();
    } else {
      body();
    }
    // The last lines may still wait in the program's buffer: nobody is told of what exit() cannot write. What an earlier flush could not
    // write is gone, and known by the stream's flag alone.
    const int reason = std::fflush(stdout) == 0 ? 0 : errno;
    if (reason != 0 || std::ferror(stdout) != 0) {
      throw crispnas::error("not all lines could be written to the standard output" +
                            (reason == 0 ? "" : ": " + std::generic_category().message(reason)) + ".");
    }
    return code;
  } catch (const usage_error& e) {
    say(e);
    return exit_usage;
  } catch (const ended_early& e) {
    say(e);
    return e.exit_code;
  } catch (const std::exception& e) {
    say(e);
    return exit_failure;
  }
}

}  // namespace support
