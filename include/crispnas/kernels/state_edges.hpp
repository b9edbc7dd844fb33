// The mixed operations that leave one state, ready to be computed again and again: their plan, the weights
// and norms that it speaks of, and the memory of passes that have ended, which the next ones take over.
#pragma once

#include <algorithm>
#include <crispnas/error.hpp>
#include <crispnas/kernels/job.hpp>
#include <crispnas/kernels/plan.hpp>
#include <crispnas/kernels/tables.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace crispnas::kernels {

/// Where a weight tensor of an edge goes in the list of inputs: units know it by these.
struct unit_weights {
  int depthwise = -1;  ///< index into the flat list of weights
  int pointwise = -1;  ///< first (or only) pointwise weight
  int second = -1;     ///< factorized reduction: conv_2
  int bias = -1;
};

/// A job with what only the host needs. From the forward pass until the graph is freed it belongs to a node of
/// the graph, otherwise to the state's edges.
template <class T>
struct bound_state {
  state_job<T> job;
  std::vector<running_statistics<T>> running;  ///< of each norm
  std::vector<unit_weights> weights;           ///< of each unit
  std::vector<T> constants;                    ///< the small weights, as the kernels read them
  std::int64_t z_size = 0;
  std::int64_t dy_size = 0;
  norm_mode mode;
  bool has_edge_weights = false;
  std::int64_t rows = 0;  ///< of the op weights: edges of the cell, of which these are some
  std::int64_t ops = 0;   ///< columns of them
  std::int64_t batch = 0;
  std::vector<int> place;     ///< of each node of the cell, among those that take part; -1: does not
  std::vector<char> started;  ///< [nodes that take part]: does the node hold something already?
  std::vector<char> used;     ///< [rows, ops] or empty: what a cut leaves

  bool is_used(std::int64_t row, std::int64_t op) const {
    return used.empty() || used[static_cast<std::size_t>(row * ops + op)] != 0;
  }
  /// Whether the cut leaves anything of an edge.
  bool any_used(std::int64_t row) const {
    bool any = used.empty();
    for (std::int64_t o = 0; o < ops && !any; ++o) any = is_used(row, o);
    return any;
  }
};

namespace detail {

inline void expect(bool holds, const char* message) {
  if (!holds) throw error(std::string("crispnas::kernels::mixed_state: ") + message);
}

}  // namespace detail

class state_edges {
 public:
  /// edges: those of the plan, in its order; an op without a fused form has neither weights nor norms here.
  state_edges(const state_plan& plan, std::vector<mixed_edge> edges, std::int64_t partial)
      : plan_(plan), edges_(std::move(edges)), partial_(partial) {
    detail::expect(edges_.size() == plan_.edges.size(), "the plan is one of other edges.");
    for (std::size_t e = 0; e < edges_.size(); ++e)
      detail::expect(edges_[e].target == plan_.edges[e].target, "the plan is one of other edges.");
    // What these ops are planned to is what the plan says.
    plan_ops();
    detail::expect(std::ranges::equal(own_.units, plan_.units) && std::ranges::equal(own_.terms, plan_.terms),
                   "the plan is one of other ops.");
    check_ops();
    own_ = {};
  }

  /// Edges that no spec knows: the plan is made now. Row e of the op weights belongs to edge e.
  state_edges(std::vector<mixed_edge> edges, std::int64_t partial, std::int64_t stride)
      : edges_(std::move(edges)), partial_(partial) {
    detail::expect(stride == 1 || stride == 2, "the stride must be 1 or 2.");
    plan_.stride = static_cast<int>(stride);
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      own_.edges.push_back({static_cast<int>(e), static_cast<int>(edges_[e].target)});
      for (const auto& op : edges_[e].ops) {
        detail::expect(stride == 1 || op.kind != op_kind::nor_conv_3x3,
                       "nor_conv_3x3 has a fused form at stride 1 only.");
      }
    }
    plan_ops();
    plan_.edges = own_.edges;
    plan_.units = own_.units;
    plan_.terms = own_.terms;
    check_ops();
  }
  state_edges(const state_edges&) = delete;
  state_edges& operator=(const state_edges&) = delete;

  const state_plan& plan() const { return plan_; }
  const std::vector<mixed_edge>& edges() const { return edges_; }
  std::int64_t partial() const { return partial_; }

  /// A bound state, with the memory of an earlier pass if there is one that has ended.
  template <class T>
  std::unique_ptr<bound_state<T>> take() {
    const std::lock_guard lock(mutex_);
    auto& unused = jobs<T>();
    if (unused.empty()) {
      unused.reserve(++made_);  // so that giving back cannot fail
      return std::make_unique<bound_state<T>>();
    }
    auto last = std::move(unused.back());
    unused.pop_back();
    return last;
  }
  template <class T>
  void give_back(std::unique_ptr<bound_state<T>> bound) noexcept {
    const std::lock_guard lock(mutex_);
    jobs<T>().push_back(std::move(bound));
  }

 private:
  template <class T>
  auto& jobs() {
    if constexpr (std::is_same_v<T, float>) {
      return floats_;
    } else {
      return doubles_;
    }
  }

  void plan_ops() {
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      for (std::size_t o = 0; o < edges_[e].ops.size(); ++o) {
        const op_params& op = edges_[e].ops[o];
        detail::plan_op(own_, static_cast<int>(e), static_cast<int>(o), op.kind, plan_.stride,
                        !op.norms.empty());
      }
    }
  }

  /// Has every op what its units read?
  void check_ops() const {
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      for (std::size_t o = 0; o < edges_[e].ops.size(); ++o) {
        const op_params& op = edges_[e].ops[o];
        const auto here = [&](const auto& planned) {
          return planned.edge == static_cast<int>(e) && planned.op == static_cast<int>(o);
        };
        std::size_t weights = 0, norms = 0, biases = 0;
        for (const unit_plan& unit : plan_.units) {
          if (!here(unit)) continue;
          const bool two = unit.kind == gather::depthwise || unit.grids == 2;
          weights += two ? 2 : 1;
          biases += two ? 0 : 1;  // may be there
          ++norms;
        }
        for (const term_plan& term : plan_.terms) {
          if (here(term) && term.from != source::unit && term.normalized) ++norms;
        }
        const bool enough = op.weights.size() >= weights && op.weights.size() <= weights + biases;
        if (enough && op.norms.size() == norms) continue;
        throw error("crispnas::kernels::mixed_state: " +
                    std::string(detail::all_fused_ops::names[static_cast<std::size_t>(op.kind)]) +
                    " at stride " + std::to_string(plan_.stride) + " reads " + std::to_string(weights) +
                    " weights" + (biases > 0 ? " (and perhaps a bias)" : "") + " and " +
                    std::to_string(norms) + " norms, but is given " + std::to_string(op.weights.size()) +
                    " and " + std::to_string(op.norms.size()) + ".");
      }
    }
  }

  detail::plan_lists<std::vector<edge_plan>, std::vector<unit_plan>, std::vector<term_plan>,
                     std::vector<stock_op>>
      own_;
  state_plan plan_;
  std::vector<mixed_edge> edges_;
  std::int64_t partial_;
  std::mutex mutex_;
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<bound_state<float>>> floats_;
  std::vector<std::unique_ptr<bound_state<double>>> doubles_;
};

}  // namespace crispnas::kernels
