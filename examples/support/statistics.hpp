// Mean and deviation of a few seeds.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

namespace support {

inline double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (double v : values) sum += v;
  return values.empty() ? 0.0 : sum / double(values.size());
}

/// Sample standard deviation; 0 for a single value.
inline double deviation_of(const std::vector<double>& values) {
  if (values.size() < 2) return 0.0;
  const double mean = mean_of(values);
  double sum = 0.0;
  for (double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / double(values.size() - 1));
}

/// "87.1", with several values "87.1 +- 0.4", with none "-".
inline std::string mean_text(const std::vector<double>& values) {
  if (values.empty()) return "-";
  if (values.size() == 1) return fmt::format("{:.1f}", values.front());
  return fmt::format("{:.1f} +- {:.1f}", mean_of(values), deviation_of(values));
}

}  // namespace support
