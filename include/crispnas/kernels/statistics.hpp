// Between the passes: from sums over blocks to batch-norm statistics, and from sums of gradients to the
// gradients of op weights, edge weights and batch norms. Blocks are added in order, in double precision.
#pragma once

#include <cmath>
#include <crispnas/kernels/job.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crispnas::kernels {

inline constexpr double norm_epsilon = 1e-5;
inline constexpr double norm_momentum = 0.1;

/// Sum over blocks of column `column` of rows of `size`.
inline double block_sum(const double* rows, std::int64_t blocks, std::int64_t size, std::int64_t column) {
  double sum = 0;
  for (std::int64_t b = 0; b < blocks; ++b) sum += rows[b * size + column];
  return sum;
}

/// Mean and variance of a batch.
struct moments {
  double mean = 0, variance = 0;
};

/// Of blocks whose sums of z and of squares of z - the block's mean are in columns `column` and `column` + 1 of rows
/// of `size`. count(block): values of a channel in it; `total` in all.
template <class Count>
inline moments batch_moments(const double* rows, std::int64_t blocks, std::int64_t size, std::int64_t column,
                             double total, const Count& count) {
  moments all;
  all.mean = block_sum(rows, blocks, size, column) / total;
  double squares = block_sum(rows, blocks, size, column + 1);
  for (std::int64_t b = 0; b < blocks; ++b) {
    const double apart = rows[b * size + column] / count(b) - all.mean;
    squares += count(b) * apart * apart;
  }
  all.variance = squares < 0 ? 0 : squares / total;  // NaN stays
  return all;
}

/// Moves running statistics towards those of a batch of `count` values per channel.
template <class T>
inline void move_running(const running_statistics<T>& running, std::int64_t channel, const moments& batch,
                         double count) {
  if (running.mean == nullptr) return;
  T& m = running.mean[channel];
  T& v = running.variance[channel];
  const double unbiased = batch.variance * count / (count - 1);
  m = static_cast<T>((1 - norm_momentum) * static_cast<double>(m) + norm_momentum * batch.mean);
  v = static_cast<T>((1 - norm_momentum) * static_cast<double>(v) + norm_momentum * unbiased);
}

/// Completes mean and scale of the norms whose slot is `wanted`, and moves what `running` has for norm i.
template <class T, class Wanted>
inline void complete_norms(state_job<T>& job, std::span<const running_statistics<T>> running,
                           const Wanted& wanted) {
  const double pixels = static_cast<double>(job.out_height) * job.out_width;
  const double count = static_cast<double>(job.batch) * pixels;
  const std::int64_t row = std::int64_t{job.slots} * job.seen * 2;
  for (std::size_t i = 0; i < job.norms.size(); ++i) {
    const norm_plan& norm = job.norms[i];
    if (!norm.batch || !wanted(norm.slot)) continue;
    for (int j = 0; j < job.seen; ++j) {
      const moments batch =
          batch_moments(job.sums, job.blocks, row, (std::int64_t{norm.slot} * job.seen + j) * 2, count,
                        [&](std::int64_t b) { return job.valid_lanes(b) * pixels; });
      const auto at = i * static_cast<std::size_t>(job.seen) + static_cast<std::size_t>(j);
      job.mean[at] = static_cast<T>(batch.mean);
      job.scale[at] = static_cast<T>(1 / std::sqrt(batch.variance + norm_epsilon));
      move_running(running[i], j, batch, count);
    }
  }
}

/// The affine form of a batch norm's gradient. `factor` times g reaches the norm's output; s0 and s1 are the
/// sums of g and of g times the normalized z. All that reads z reads z - mean: far from zero, rounding would be
/// relative to the mean.
template <class T>
inline affine<T> norm_gradient(bool batch, double factor, T mean, T normalizer, double s0, double s1,
                               double count) {
  affine<T> k;
  const auto scale = static_cast<double>(normalizer);
  const double a = factor * scale;
  k.a = static_cast<T>(a);
  if (batch) {
    const double m0 = s0 / count;
    const double m1 = s1 / count;
    k.b = static_cast<T>(-a * m1 * scale);
    k.c = static_cast<T>(-a * m0);
    k.mean = mean;
  }
  return k;
}

/// After backward pass 1: gradients of op weights [rows, ops] and edge weights [rows] (either may be null)
/// and the affine forms of all terms.
template <class T>
inline void complete_terms(state_job<T>& job, T* op_gradients, std::int64_t ops, T* edge_gradients) {
  const auto count = static_cast<double>(job.batch * job.out_height * job.out_width);
  job.term_gradients.clear();
  for (const auto& edge : job.edges) {
    const auto terms = job.terms_of(edge);
    double edge_gradient = 0;
    const auto sum = [&](std::size_t term_plus_one, int j) {
      const std::int64_t column = edge.sums + static_cast<std::int64_t>(term_plus_one) * job.seen + j;
      return block_sum(job.edge_sums, job.blocks, job.edge_sums_size, column);
    };
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const edge_term& term = terms[t];
      const auto op_weight = static_cast<double>(job.op_weight(edge, term));
      const double factor = op_weight * static_cast<double>(edge.weight);
      double total = 0;
      for (int j = 0; j < job.seen; ++j) {
        const double s0 = sum(0, j);
        const double gz = sum(t + 1, j);
        if (term.norm < 0) {
          total += gz;
          job.term_gradients.push_back({static_cast<T>(factor), 0, 0, 0});
          continue;
        }
        const std::size_t at = job.norm_channel(term.norm, j);
        const double s1 = static_cast<double>(job.scale[at]) * gz;
        total += s1;
        const bool batch = job.norms[static_cast<std::size_t>(term.norm)].batch;
        job.term_gradients.push_back(
            norm_gradient<T>(batch, factor, job.mean[at], job.scale[at], s0, s1, count));
      }
      if (op_gradients) {
        op_gradients[std::int64_t{edge.row} * ops + term.op] =
            static_cast<T>(total * static_cast<double>(edge.weight));
      }
      edge_gradient += op_weight * total;
    }
    if (job.seen < job.channels) edge_gradient += sum(edge.terms + 1, 0);
    if (edge_gradients) edge_gradients[edge.row] = static_cast<T>(edge_gradient);
  }
}

/// After backward pass 2: the affine forms of the units that another unit follows.
template <class T>
inline void complete_units(state_job<T>& job) {
  const auto count = static_cast<double>(job.batch * job.out_height * job.out_width);
  const auto seen = static_cast<std::size_t>(job.seen);
  job.unit_gradients.assign(job.units.size() * seen, {});
  const std::int64_t row = static_cast<std::int64_t>(job.units.size()) * job.seen * 2;
  for (std::size_t i = 0; i < job.units.size(); ++i) {
    if (job.units[i].last) continue;
    for (std::size_t j = 0; j < seen; ++j) {
      const auto column = static_cast<std::int64_t>((i * seen + j) * 2);
      const auto at = static_cast<std::size_t>(job.units[i].norm) * seen + j;
      job.unit_gradients[i * seen + j] =
          norm_gradient<T>(job.norms[static_cast<std::size_t>(job.units[i].norm)].batch, 1, job.mean[at],
                           job.scale[at], block_sum(job.unit_sums, job.blocks, row, column),
                           block_sum(job.unit_sums, job.blocks, row, column + 1), count);
    }
  }
}

}  // namespace crispnas::kernels
