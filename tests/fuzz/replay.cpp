// replay FOLDER: every reader takes every file of corpus/<reader> and found/<reader>, and every beginning of it. Needs no libFuzzer. A
// reader without files, files without a reader, and an input that takes a second are failures.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t beginnings = 200;  // of a file, evenly spread

double seconds_of(fuzz::reader read, std::string_view bytes) {
  // Its own memory, so that a sanitizer sees what is read behind the end.
  const std::string exact(bytes);
  const auto begin = std::chrono::steady_clock::now();
  read(exact);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int replay(const fs::path& root) {
  int problems = 0;
  for (const auto& [name, read] : fuzz::readers()) {
    std::size_t files = 0;
    std::size_t inputs = 0;
    double slowest = 0;
    std::string slowest_file;
    for (const char* set : {"corpus", "found"}) {
      if (!fs::exists(root / set / name)) continue;
      for (const auto& entry : fs::directory_iterator(root / set / name)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        ++files;
        const std::size_t step = bytes.size() / beginnings + 1;
        std::printf("%s\n", entry.path().c_str());  // the last line says what ended the program
        std::fflush(stdout);
        for (std::size_t length = bytes.size();; length -= std::min(length, step)) {
          const double seconds = seconds_of(read, std::string_view(bytes).substr(0, length));
          if (seconds > slowest) slowest = seconds, slowest_file = entry.path().string();
          ++inputs;
          if (length == 0) break;
        }
      }
    }
    std::printf("%-12s %3zu files, %6zu inputs, slowest %.3f s\n", name.c_str(), files, inputs, slowest);
    if (files < 2) std::printf("PROBLEM: reader %s has %zu files\n", name.c_str(), files), ++problems;
    if (slowest > 1) std::printf("PROBLEM: %s takes more than a second\n", slowest_file.c_str()), ++problems;
  }
  for (const char* set : {"corpus", "found"}) {
    for (const auto& entry : fs::directory_iterator(root / set)) {
      if (fuzz::readers().contains(entry.path().filename().string())) continue;
      std::printf("PROBLEM: %s is of no reader\n", entry.path().c_str());
      ++problems;
    }
  }
  return problems == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "replay FOLDER: the folder that holds corpus and found\n");
    return 2;
  }
  try {
    return replay(argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "replay: an exception that no reader may throw: %s\n", e.what());
    return 1;
  }
}
