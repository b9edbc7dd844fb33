// Between the passes: from sums over blocks to batch-norm statistics, and from sums of gradients to the
// gradients of op weights, edge weights and batch norms. Blocks are added in order, in double precision.
#pragma once

#include <cmath>
#include <crispnas/kernels/job.hpp>
#include <crispnas/kernels/tables.hpp>

namespace crispnas::kernels {

inline constexpr double norm_epsilon = 1e-5;
inline constexpr double norm_momentum = 0.1;

/// Sum over blocks of column `column` of rows of `size`.
inline double block_sum(const double* rows, std::int64_t blocks, std::int64_t size, std::int64_t column) {
  double sum = 0;
  for (std::int64_t b = 0; b < blocks; ++b) sum += rows[b * size + column];
  return sum;
}

/// Moves running statistics towards those of a batch of `count` values per channel.
template <class T>
inline void move_running(const norm_state& state, std::int64_t channel, double mean, double variance,
                         double count) {
  if (!state.mean.defined()) return;
  T& m = state.mean.template data_ptr<T>()[channel];
  T& v = state.variance.template data_ptr<T>()[channel];
  const double unbiased = variance * count / (count - 1);
  m = static_cast<T>((1 - norm_momentum) * static_cast<double>(m) + norm_momentum * mean);
  v = static_cast<T>((1 - norm_momentum) * static_cast<double>(v) + norm_momentum * unbiased);
}

/// Completes mean and scale of the norms in `slots` [first, last). `states[i]` belongs to norm i.
template <class T>
inline void complete_norms(state_job<T>& job, const std::vector<const norm_state*>& states, int first,
                           int last, norm_mode mode) {
  const double count = static_cast<double>(job.batch * job.out_height * job.out_width);
  const std::int64_t row = std::int64_t{job.slots} * job.seen * 2;
  for (std::size_t i = 0; i < job.norms.size(); ++i) {
    const norm_plan& norm = job.norms[i];
    if (norm.slot < first || norm.slot >= last || !norm.batch) continue;
    for (int j = 0; j < job.seen; ++j) {
      const std::int64_t column = (std::int64_t{norm.slot} * job.seen + j) * 2;
      const double mean = block_sum(job.sums, job.blocks, row, column) / count;
      const double variance =
          std::max(0.0, block_sum(job.sums, job.blocks, row, column + 1) / count - mean * mean);
      const auto at = i * static_cast<std::size_t>(job.seen) + static_cast<std::size_t>(j);
      job.mean[at] = static_cast<T>(mean);
      job.scale[at] = static_cast<T>(1 / std::sqrt(variance + norm_epsilon));
      if (mode.update) move_running<T>(*states[i], j, mean, variance, count);
    }
  }
}

/// The affine form of a batch norm's gradient. `factor` times g reaches the norm's output; s0 and s1 are the
/// sums of g and of g times the normalized z.
template <class T>
inline affine<T> norm_gradient(bool batch, double factor, double mean, double scale, double s0, double s1,
                               double count) {
  affine<T> k;
  const double a = factor * scale;
  k.a = static_cast<T>(a);
  if (batch) {
    const double m0 = s0 / count;
    const double m1 = s1 / count;
    k.b = static_cast<T>(-a * m1 * scale);
    k.c = static_cast<T>(-a * m0 + a * m1 * scale * mean);
  }
  return k;
}

/// After backward pass 1: gradients of op weights [rows, ops] and edge weights [rows] (either may be null)
/// and the affine forms of all terms.
template <class T>
inline void complete_terms(state_job<T>& job, T* op_gradients, std::int64_t ops, T* edge_gradients) {
  const double count = static_cast<double>(job.batch * job.out_height * job.out_width);
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
      const double op_weight = static_cast<double>(job.op_weight(edge, term));
      const double factor = op_weight * static_cast<double>(edge.weight);
      double total = 0;
      for (int j = 0; j < job.seen; ++j) {
        const double s0 = sum(0, j);
        const double gz = sum(t + 1, j);
        if (term.norm < 0) {
          total += gz;
          job.term_gradients.push_back({static_cast<T>(factor), 0, 0});
          continue;
        }
        const auto at = static_cast<std::size_t>(term.norm * job.seen + j);
        const double mean = static_cast<double>(job.mean[at]);
        const double scale = static_cast<double>(job.scale[at]);
        const double s1 = scale * (gz - mean * s0);
        total += s1;
        const bool batch = job.norms[static_cast<std::size_t>(term.norm)].batch;
        job.term_gradients.push_back(norm_gradient<T>(batch, factor, mean, scale, s0, s1, count));
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
  const double count = static_cast<double>(job.batch * job.out_height * job.out_width);
  const auto seen = static_cast<std::size_t>(job.seen);
  job.unit_gradients.assign(job.units.size() * seen, {});
  const std::int64_t row = static_cast<std::int64_t>(job.units.size()) * job.seen * 2;
  for (std::size_t i = 0; i < job.units.size(); ++i) {
    if (job.units[i].last) continue;
    for (std::size_t j = 0; j < seen; ++j) {
      const auto column = static_cast<std::int64_t>((i * seen + j) * 2);
      const auto at = static_cast<std::size_t>(job.units[i].norm) * seen + j;
      job.unit_gradients[i * seen + j] = norm_gradient<T>(
          job.norms[static_cast<std::size_t>(job.units[i].norm)].batch, 1, static_cast<double>(job.mean[at]),
          static_cast<double>(job.scale[at]), block_sum(job.unit_sums, job.blocks, row, column),
          block_sum(job.unit_sums, job.blocks, row, column + 1), count);
    }
  }
}

}  // namespace crispnas::kernels
