// What does fuzzing ask of a reader? It takes any bytes. It may refuse them, with crispnas::error and nothing else; what it accepts is held
// to the promises of its header. The same function runs under libFuzzer (libfuzzer.cpp) and over the files of the corpora (replay.cpp).
#pragma once

#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace fuzz {

using reader = void (*)(std::string_view bytes);

/// By name: each file in readers/ adds one.
inline std::map<std::string, reader>& readers() {
  static std::map<std::string, reader> all;
  return all;
}

struct registered {
  registered(const char* name, reader function) { readers().emplace(name, function); }
};

/// Ends the program where a promise is not kept.
inline void hold(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "not kept: %s\n", promise);
  std::abort();
}

/// Whether `body` ends without a refusal. An exception of any other type ends the program.
template <class Body>
bool accepted(Body&& body) {
  try {
    body();
    return true;
  } catch (const crispnas::error& e) {
    hold(e.what()[0] != '\0', "a refusal says something");
    return false;
  }
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace fuzz
