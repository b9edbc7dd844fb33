// What does NAS-Bench-201 know of a cell? Accuracy of all 15,625 cells on three data sets after 200 epochs, from a CSV file with
// the columns CIFAR10TestAccuracy200Epochs, CIFAR100TestAccuracy200Epochs, ImageNetTestAccuracy200Epochs, ArchitectureString.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <crispnas/error.hpp>
#include <crispnas/genotype/nas_bench_201.hpp>
#include <crispnas/genotype/text.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace support {

namespace cn = crispnas;

class nas_bench_table {
 public:
  /// Test accuracy in percent on CIFAR-10, CIFAR-100 and ImageNet-16-120.
  using entry = std::array<double, 3>;

  /// Reads the whole file. Throws crispnas::error with the line where something is not as it should be, where a cell is missing
  /// or stands there twice.
  explicit nas_bench_table(const std::filesystem::path& path) : entries_(cn::nas_bench_201_cells) {
    std::error_code code;
    std::ifstream file;
    if (std::filesystem::is_regular_file(path, code)) file.open(path, std::ios::binary);
    if (!file.is_open()) {
      throw cn::error("'" + path.string() +
                      "' cannot be read. Name the CSV file of NAS-Bench-201's accuracies.");
    }
    if (std::filesystem::file_size(path, code) > largest_file) {
      throw cn::error("'" + path.string() + "' is larger than 64 MiB; this is not the table.");
    }
    read(file, "'" + path.string() + "'");
  }
  /// The same from an open file that messages call `name`.
  nas_bench_table(std::istream& file, const std::string& name) : entries_(cn::nas_bench_201_cells) {
    read(file, name);
  }

  const entry& at(const cn::genotype& cell) const {
    return entries_[static_cast<std::size_t>(cn::nas_bench_201_index(cell))];
  }
  const std::vector<entry>& entries() const { return entries_; }

  /// 1 for the best cell: one more than the cells that are better on data set `d`.
  std::size_t rank(const entry& of, std::size_t d = 0) const {
    return 1 + static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(),
                                                      [&](const entry& e) { return e[d] > of[d]; }));
  }
  /// The best accuracy on data set `d`, which no search can beat.
  double best(std::size_t d = 0) const {
    return std::max_element(entries_.begin(), entries_.end(),
                            [&](const entry& a, const entry& b) { return a[d] < b[d]; })
        ->at(d);
  }
  double mean(std::size_t d = 0) const {
    double sum = 0.0;
    for (const auto& e : entries_) sum += e[d];
    return sum / double(entries_.size());
  }

 private:
  void read(std::istream& file, const std::string& name) {
    std::vector<bool> seen(entries_.size());
    std::string line;
    std::size_t number = 0;
    const auto fail = [&](const std::string& what) {
      throw cn::error(name + ", line " + std::to_string(number) + ": " + what);
    };
    while (std::getline(file, line)) {
      ++number;
      if (line.size() > longest_line)
        fail("more than " + std::to_string(longest_line) + " characters; this is not the table.");
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (number == 1) {
        if (!line.starts_with(header)) fail("the columns should be " + std::string(header) + ", ...");
        continue;
      }
      if (line.empty()) continue;
      std::string_view rest = line;
      const auto field = [&] {
        const auto comma = std::min(rest.find(','), rest.size());
        const auto found = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        return found;
      };
      entry accuracy{};
      for (auto& a : accuracy) {
        const auto text = field();
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), a);
        if (problem != std::errc() || end != text.data() + text.size() || !(a >= 0 && a <= 100)) {
          fail("'" + cn::detail::printable(text) + "' is no accuracy in percent.");
        }
      }
      std::size_t index = 0;
      try {
        index = static_cast<std::size_t>(cn::nas_bench_201_index(cn::parse_genotype(field())));
      } catch (const cn::error& e) {
        fail(e.what());
      }
      if (seen[index]) fail("this cell stands in the table twice.");
      seen[index] = true;
      entries_[index] = accuracy;
    }
    const auto missing = std::find(seen.begin(), seen.end(), false);
    if (missing != seen.end()) {
      fail("the file ends, but cell " + std::to_string(missing - seen.begin()) + " of " +
           std::to_string(seen.size()) + " has not come.");
    }
  }

  static constexpr std::size_t longest_line = 1000;
  static constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 26;
  static constexpr std::string_view header =
      "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs,"
      "ArchitectureString";
  std::vector<entry> entries_;
};

}  // namespace support
