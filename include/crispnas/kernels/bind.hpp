// From the plan of a state's edges and the tensors of a call to the job that the kernels read.
#pragma once

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cmath>
#include <crispnas/kernels/state_edges.hpp>
#include <crispnas/kernels/statistics.hpp>
#include <crispnas/kernels/vec.hpp>
#include <cstddef>
#include <cstdint>

namespace crispnas::kernels {

namespace detail {

/// Binds a plan to tensors. What it fills keeps its memory from one call to the next.
template <class T>
class binder {
 public:
  binder(bound_state<T>& to, const state_edges& from, at::TensorList flat)
      : to_(to), job_(to.job), from_(from), flat_(flat) {
    to.running.clear();
    to.weights.clear();
    to.z_size = to.dy_size = 0;
    job_.units.clear();
    job_.edges.clear();
    job_.terms.clear();
    job_.op_weights.clear();
    job_.norms.clear();
    job_.mean.clear();
    job_.scale.clear();
    job_.maximum = job_.average = job_.depthwise = false;
    job_.maximum_slot = job_.average_slot = -1;
    job_.padding = 0;
    job_.edge_sums_size = job_.weight_sums_size = 0;
  }

  void geometry(const at::Tensor& x) {
    const std::int64_t batch = to_.batch;
    job_.lanes = lanes<T>();
    expect(x.dim() == 5 && x.size(4) == job_.lanes && x.size(0) == (batch + job_.lanes - 1) / job_.lanes,
           "the state is not a blocked tensor of this batch: make it with to_blocked.");
    job_.batch = batch;
    job_.blocks = x.size(0);
    job_.channels = static_cast<int>(x.size(1));
    job_.partial = static_cast<int>(from_.partial());
    expect(job_.partial >= 1 && x.size(1) % job_.partial == 0, "the channels are not a multiple of K.");
    job_.stride = from_.plan().stride;
    job_.seen = job_.channels / job_.partial;
    job_.height = static_cast<int>(x.size(2));
    job_.width = static_cast<int>(x.size(3));
    job_.out_height = (job_.height + job_.stride - 1) / job_.stride;
    job_.out_width = (job_.width + job_.stride - 1) / job_.stride;
    expect(job_.stride == 1 || job_.partial == 1 || (job_.height % 2 == 0 && job_.width % 2 == 0),
           "partial channels at stride 2 need even height and width (the bypass is max-pooled 2x2).");
    expect(!to_.mode.training || job_.batch * job_.out_height * job_.out_width > 1,
           "batch statistics need more than one value per channel; this is one image of one pixel.");
  }

  /// op_weights: [rows, ops]; edge_weights: [rows] or null for 1.
  void edges(const T* op_weights, const T* edge_weights) {
    const state_plan& plan = from_.plan();
    auto unit_at = plan.units.begin();
    auto term_at = plan.terms.begin();
    for (std::size_t e = 0; e < plan.edges.size(); ++e) {
      const int index = static_cast<int>(e);
      const std::int64_t row = plan.edges[e].row;
      const auto& ops = from_.edges()[e].ops;
      const bool any = to_.any_used(row);
      if (any) open(plan.edges[e], op_weights, edge_weights);
      for (std::size_t o = 0; o < ops.size(); ++o) {
        const bool used = to_.is_used(row, static_cast<std::int64_t>(o));
        const auto here = [&](const auto& planned) {
          return planned.edge == index && planned.op == static_cast<int>(o);
        };
        for (; unit_at != plan.units.end() && here(*unit_at); ++unit_at) {
          if (used) unit(*unit_at, ops[o]);
        }
        for (; term_at != plan.terms.end() && here(*term_at); ++term_at) {
          if (used) term(*term_at, ops[o]);
        }
        if (used) next_weight_ += static_cast<int>(ops[o].weights.size());
      }
      if (any) close();
    }
    place_slots();
    place_constants();
  }

 private:
  void open(const edge_plan& planned, const T* op_weights, const T* edge_weights) {
    job_edge<T> edge;
    edge.row = planned.row;
    edge.target = to_.place[static_cast<std::size_t>(planned.target)];
    edge.weight = edge_weights ? edge_weights[planned.row] : T(1);
    edge.op_weights = job_.op_weights.size();
    edge.first_term = job_.terms.size();
    const T* from = op_weights + planned.row * to_.ops;
    job_.op_weights.insert(job_.op_weights.end(), from, from + to_.ops);
    job_.edges.push_back(edge);
  }
  void close() {
    job_edge<T>& edge = job_.edges.back();
    edge.terms = job_.terms.size() - edge.first_term;
    edge.sums = job_.edge_sums_size;
    job_.edge_sums_size += (1 + static_cast<std::int64_t>(edge.terms)) * job_.seen + 1;
  }

  int norm(const norm_state& state, int slot) {
    const auto at = job_.norms.size() * static_cast<std::size_t>(job_.seen);
    job_.norms.push_back({slot, to_.mode.training});
    job_.mean.resize(at + static_cast<std::size_t>(job_.seen));
    job_.scale.resize(at + static_cast<std::size_t>(job_.seen));
    expect(!state.mean.defined() || fits(state, job_.seen, c10::CppTypeToScalarType<T>::value),
           "running statistics must be contiguous, [channels / K], and of the state's type.");
    running_statistics<T> moved;
    if (to_.mode.training && to_.mode.update && state.mean.defined())
      moved = {state.mean.template data_ptr<T>(), state.variance.template data_ptr<T>()};
    to_.running.push_back(moved);
    if (!to_.mode.training) {
      expect(state.mean.defined(), "evaluation needs running statistics, but a norm has none.");
      const T* mean = state.mean.template const_data_ptr<T>();
      const T* variance = state.variance.template const_data_ptr<T>();
      for (int j = 0; j < job_.seen; ++j) {
        job_.mean[at + static_cast<std::size_t>(j)] = mean[j];
        job_.scale[at + static_cast<std::size_t>(j)] =
            static_cast<T>(1 / std::sqrt(static_cast<double>(variance[j]) + norm_epsilon));
      }
    }
    return static_cast<int>(job_.norms.size()) - 1;
  }

  const T* weight(int index, std::int64_t size) const {
    const auto i = static_cast<std::size_t>(index);
    expect(i < flat_.size() && flat_[i].numel() == size && flat_[i].is_contiguous() &&
               flat_[i].scalar_type() == c10::CppTypeToScalarType<T>::value,
           "a weight does not have the size that its operation asks for, is not contiguous or not of the "
           "state's type.");
    return flat_[i].template const_data_ptr<T>();
  }

  void unit(const unit_plan& planned, const op_params& op) {
    conv_unit<T> made;
    static_cast<unit_plan&>(made) = planned;
    const std::int64_t c = job_.seen;
    const std::int64_t taps = std::int64_t{planned.kernel} * planned.kernel;
    if (planned.parent >= 0) made.parent = static_cast<int>(job_.units.size()) - 1;
    made.channels = job_.seen * planned.grids;
    made.slot = static_cast<int>(job_.units.size());
    made.norm = norm(op.norms[static_cast<std::size_t>(planned.half)], made.slot);
    made.pointwise_size = c * made.channels * (planned.kind == gather::dense ? taps : 1);
    made.depthwise_size = planned.kind == gather::depthwise ? c * taps : 0;
    // Units lie a few cache lines off the powers of two, so that reading them side by side does not evict.
    constexpr std::int64_t stagger = std::int64_t{5} * 64 / std::int64_t{sizeof(T)};
    made.z = to_.z_size;
    to_.z_size += job_.blocks * job_.seen * job_.out_plane() + stagger;
    made.gradients = job_.weight_sums_size;
    job_.weight_sums_size += made.weights_size();
    if (!made.last) {
      made.dy = to_.dy_size;
      to_.dy_size += job_.blocks * job_.seen * job_.out_plane();
    }
    unit_weights which;
    const int first = next_weight_ + 2 * planned.half;
    if (planned.kind == gather::depthwise) {
      which.depthwise = first;
      which.pointwise = first + 1;
    } else {
      which.pointwise = first;
      if (planned.grids == 2) {
        which.second = first + 1;
        expect(job_.height % 2 == 0 && job_.width % 2 == 0,
               "skip_connect at stride 2 needs even height and width.");
      } else if (op.weights.size() == 2) {
        which.bias = first + 1;
      }
    }
    if (planned.parent < 0 && planned.kind != gather::sampled) {
      job_.depthwise = true;
      job_.padding = std::max(job_.padding, planned.padding());
    }
    to_.weights.push_back(which);
    job_.units.push_back(made);
  }

  void term(const term_plan& planned, const op_params& op) {
    edge_term made{planned.from, planned.op, -1, -1};
    if (planned.from == source::unit) {
      made.unit = static_cast<int>(job_.units.size()) - 1;
      made.norm = job_.units.back().norm;
    } else if (planned.from != source::identity) {
      const bool maximum = planned.from == source::maximum;
      (maximum ? job_.maximum : job_.average) = true;
      // The slots of pools come after those of units, so place_slots says which they are.
      if (planned.normalized) made.norm = norm(op.norms[0], maximum ? slot_of_maximum : slot_of_average);
    }
    job_.terms.push_back(made);
  }

  void place_slots() {
    job_.slots = static_cast<int>(job_.units.size());
    if (job_.maximum) job_.maximum_slot = job_.slots++;
    if (job_.average) job_.average_slot = job_.slots++;
    for (auto& norm : job_.norms) {
      if (norm.slot == slot_of_maximum) norm.slot = job_.maximum_slot;
      if (norm.slot == slot_of_average) norm.slot = job_.average_slot;
    }
  }

  /// Copies of the weights in the order in which the kernels read them, close together.
  void place_constants() {
    std::int64_t total = 0;
    for (const auto& unit : job_.units) total += unit.weights_size() + job_.seen;
    to_.constants.resize(static_cast<std::size_t>(total));
    T* next = to_.constants.data();
    const std::int64_t c = job_.seen;
    for (std::size_t i = 0; i < job_.units.size(); ++i) {
      conv_unit<T>& unit = job_.units[i];
      const unit_weights& which = to_.weights[i];
      const std::int64_t taps = std::int64_t{unit.kernel} * unit.kernel;
      T* products = next;
      unit.pointwise = products;
      next += unit.pointwise_size;
      if (which.second >= 0) {  // the first half of the outputs reads one grid, the second the other
        const T* one = weight(which.pointwise, c / 2 * c);
        const T* two = weight(which.second, (c - c / 2) * c);
        std::fill(products, next, T(0));
        for (std::int64_t j = 0; j < c; ++j) {
          const T* from = j < c / 2 ? one + j * c : two + (j - c / 2) * c;
          std::copy(from, from + c, products + 2 * j * c + (j < c / 2 ? 0 : c));
        }
        continue;
      }
      const T* w = weight(which.pointwise, unit.pointwise_size);
      if (unit.kind == gather::dense) {  // tap by tap
        for (std::int64_t j = 0; j < c * c; ++j) {
          for (std::int64_t t = 0; t < taps; ++t) products[t * c * c + j] = w[j * taps + t];
        }
      } else {
        std::copy(w, w + unit.pointwise_size, products);
      }
      if (which.depthwise >= 0) {
        unit.depthwise = weight(which.depthwise, unit.depthwise_size);
        unit.turned = next;
        for (std::int64_t j = 0; j < c; ++j) {
          for (std::int64_t t = 0; t < taps; ++t) next[t] = unit.depthwise[j * taps + taps - 1 - t];
          next += taps;
        }
      }
      if (which.bias >= 0) {
        const T* bias = weight(which.bias, c);
        unit.bias = next;
        next = std::copy(bias, bias + c, next);
      }
    }
  }

  /// What stands for the slots of pools until all units have theirs.
  enum not_yet_placed { slot_of_maximum = -1, slot_of_average = -2 };

  bound_state<T>& to_;
  state_job<T>& job_;
  const state_edges& from_;
  at::TensorList flat_;
  int next_weight_ = 0;
};

}  // namespace detail

/// Binds the edges of a blocked state x, [blocks, channels, height, width, lanes]. `to` brings batch, mode,
/// ops, place and what is used. op_weights: [rows, ops]; edge_weights: [rows] or null for 1; flat: the weights
/// of the used ops in order.
template <class T>
void bind_state(bound_state<T>& to, const state_edges& from, const at::Tensor& x, const T* op_weights,
                const T* edge_weights, at::TensorList flat) {
  detail::binder<T> bind(to, from, flat);
  bind.geometry(x);
  bind.edges(op_weights, edge_weights);
}

}  // namespace crispnas::kernels
