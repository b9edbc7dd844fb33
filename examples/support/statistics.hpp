// What do a few seeds say? Mean, deviation, standard error, 95 % interval; which order can be claimed; what they agree on; rank
// correlation.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
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

/// Of the mean; 0 for a single value, which says nothing about it (see how `compare` treats that).
inline double standard_error_of(const std::vector<double>& values) {
  return values.size() < 2 ? 0.0 : deviation_of(values) / std::sqrt(double(values.size()));
}

/// The 97.5 % quantile of Student's t distribution: half the width of a 95 % interval, in standard errors.
inline double t_quantile(std::size_t degrees_of_freedom) {
  static constexpr double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060,
                                     2.2622,  2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199,
                                     2.1098,  2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
                                     2.0595,  2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  if (degrees_of_freedom == 0) return std::numeric_limits<double>::infinity();
  if (degrees_of_freedom <= std::size(table)) return table[degrees_of_freedom - 1];
  // Abramowitz and Stegun 26.7.5, from the quantile of the normal distribution.
  const double z = 1.959964;
  const auto n = double(degrees_of_freedom);
  return z + (z * z * z + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

/// Half the width of the 95 % interval of the mean; infinite for fewer than two values.
inline double interval_of(const std::vector<double>& values) {
  if (values.size() < 2) return std::numeric_limits<double>::infinity();
  return t_quantile(values.size() - 1) * standard_error_of(values);
}

/// "87.12 +- 0.40 (0.23)": mean, deviation, standard error; a single value alone, none as "not run".
inline std::string mean_text_with_error(const std::vector<double>& values, int digits = 2) {
  if (values.empty()) return "not run";
  if (values.size() == 1) return fmt::format("{:.{}f}", values.front(), digits);
  return fmt::format("{0:.{3}f} +- {1:.{3}f} ({2:.{3}f})", mean_of(values), deviation_of(values),
                     standard_error_of(values), digits);
}

enum class order_claim { lower, higher, none };

/// Whether a is lower or higher than b by more than two standard errors of the difference of their means, and by more than Welch's t
/// test at 5 % asks for, which for few values is more; fewer than two on either side allow no claim.
inline order_claim compare(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2 || b.size() < 2) return order_claim::none;
  const double difference = mean_of(a) - mean_of(b);
  const double error = std::hypot(standard_error_of(a), standard_error_of(b));
  const auto spread = [](const std::vector<double>& v) {
    return std::pow(standard_error_of(v), 4) / double(v.size() - 1);
  };
  const double spreads = spread(a) + spread(b);
  // Welch and Satterthwaite's degrees of freedom, rounded down; without any deviation all that there can be.
  const double freedom = spreads > 0 ? std::pow(error, 4) / spreads : double(a.size() + b.size() - 2);
  const double wanted = std::max(2.0, t_quantile(static_cast<std::size_t>(freedom + 1e-9)));
  if (std::abs(difference) <= wanted * error) return order_claim::none;
  return difference < 0 ? order_claim::lower : order_claim::higher;
}

/// The mean over all pairs of sets of what they share, as a fraction of what either has; 1 when all are equal. NaN for fewer than two.
inline double agreement_of(const std::vector<std::set<std::string>>& sets) {
  double sum = 0.0;
  int pairs = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = i + 1; j < sets.size(); ++j) {
      std::size_t shared = 0;
      for (const auto& element : sets[i]) shared += sets[j].count(element);
      const std::size_t either = sets[i].size() + sets[j].size() - shared;
      sum += either == 0 ? 1.0 : double(shared) / double(either);
      ++pairs;
    }
  }
  return pairs == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / pairs;
}

/// Ranks from 1; equal values share the mean of their ranks.
inline std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = double(first + last) / 2 + 1;
    first = last + 1;
  }
  return ranks;
}

/// Spearman's rank correlation: Pearson's of the ranks. NaN where one side is constant or there are fewer than two pairs.
inline double rank_correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto a = ranks_of(x);
  const auto b = ranks_of(y);
  const double mean_a = mean_of(a);
  const double mean_b = mean_of(b);
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace support
