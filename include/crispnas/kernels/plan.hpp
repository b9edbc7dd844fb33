// From the tables of a state's edges to the plan that the kernels read.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/kernels/statistics.hpp>
#include <crispnas/kernels/vec.hpp>
#include <string>

namespace crispnas::kernels {

/// Where a weight tensor of an edge goes in the list of inputs: units know it by these.
struct unit_weights {
  int depthwise = -1;  ///< index into the flat list of weights
  int pointwise = -1;  ///< first (or only) pointwise weight
  int second = -1;     ///< factorized reduction: conv_2
  int bias = -1;
};

/// A plan with what only the host needs: which tensors its norms and weights are.
template <class T>
struct state_plan {
  state_job<T> job;
  std::vector<norm_state> norm_states;
  std::vector<unit_weights> weights;  // of each unit
  std::int64_t z_size = 0;
  std::int64_t dy_size = 0;
  norm_mode mode;
};

/// The weights of all edges in order: the order of the gradients.
inline std::vector<at::Tensor> flat_weights(const std::vector<mixed_edge>& edges) {
  std::vector<at::Tensor> flat;
  for (const auto& edge : edges) {
    for (const auto& op : edge.ops) {
      if (op.used) flat.insert(flat.end(), op.weights.begin(), op.weights.end());
    }
  }
  return flat;
}

namespace detail {

inline void expect(bool holds, const char* message) {
  if (!holds) throw error(std::string("crispnas::kernels::mixed_state: ") + message);
}

/// Makes a plan; the methods add what one op needs.
template <class T>
class planner {
 public:
  planner(state_plan<T>& plan, const std::vector<at::Tensor>& flat)
      : plan_(plan), job_(plan.job), flat_(flat) {}

  void add(int edge_index, int op_index, const op_params& op) {
    if (!op.used || op.kind == op_kind::none) return;
    edge_ = edge_index;
    op_ = op_index;
    switch (op.kind) {
      case op_kind::none:
        break;
      case op_kind::max_pool_3x3:
        pool(op, edge_term::source::maximum);
        break;
      case op_kind::avg_pool_3x3:
        pool(op, edge_term::source::average);
        break;
      case op_kind::skip_connect:
        skip(op);
        break;
      case op_kind::sep_conv_3x3:
        separable(op, 3);
        break;
      case op_kind::sep_conv_5x5:
        separable(op, 5);
        break;
      case op_kind::sep_conv_7x7:
        separable(op, 7);
        break;
      case op_kind::dil_conv_3x3:
        dilated(op, 3);
        break;
      case op_kind::dil_conv_5x5:
        dilated(op, 5);
        break;
      case op_kind::nor_conv_1x1:
        normal(op, 1);
        break;
      case op_kind::nor_conv_3x3:
        normal(op, 3);
        break;
    }
    next_weight_ += static_cast<int>(op.weights.size());
  }

 private:
  edge_plan<T>& edge() { return job_.edges[static_cast<std::size_t>(edge_)]; }

  int norm(const norm_state& state, int slot) {
    const auto at = job_.norms.size() * static_cast<std::size_t>(job_.seen);
    job_.norms.push_back({slot, plan_.mode.training});
    plan_.norm_states.push_back(state);
    job_.mean.resize(at + static_cast<std::size_t>(job_.seen));
    job_.scale.resize(at + static_cast<std::size_t>(job_.seen));
    if (state.mean.defined()) {
      expect(state.mean.numel() == job_.seen && state.mean.is_contiguous() &&
                 state.variance.numel() == job_.seen && state.variance.is_contiguous() &&
                 state.mean.scalar_type() == c10::CppTypeToScalarType<T>::value,
             "running statistics must be contiguous, [channels / K], and of the state's type.");
    }
    if (!plan_.mode.training) {
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

  const T* weight(int index, std::int64_t size) {
    const auto i = static_cast<std::size_t>(index);
    expect(i < flat_.size() && flat_[i].numel() == size && flat_[i].is_contiguous() &&
               flat_[i].scalar_type() == c10::CppTypeToScalarType<T>::value,
           "a weight does not have the size that its operation asks for, is not contiguous or not of the "
           "state's type.");
    return flat_[i].template const_data_ptr<T>();
  }

  conv_unit<T>& unit(const norm_state& state, int channels) {
    conv_unit<T> made;
    made.edge = edge_;
    made.channels = channels;
    made.slot = static_cast<int>(job_.units.size());
    made.norm = norm(state, made.slot);
    // Units lie a few cache lines off the powers of two, so that reading them side by side does not evict.
    constexpr std::int64_t stagger = 5 * 64 / sizeof(T);
    made.z = plan_.z_size;
    plan_.z_size += job_.blocks * job_.seen * job_.out_plane() + stagger;
    job_.units.push_back(std::move(made));
    plan_.weights.emplace_back();
    return job_.units.back();
  }

  void finish(conv_unit<T>& made) {
    made.gradients = job_.weight_sums_size;
    job_.weight_sums_size += made.pointwise_size() + made.depthwise_size();
    if (made.last) {
      edge().terms.push_back(
          {edge_term::source::unit, op_, static_cast<int>(job_.units.size()) - 1, made.norm});
    } else {
      made.dy = plan_.dy_size;
      plan_.dy_size += job_.blocks * job_.seen * job_.out_plane();
    }
  }

  void depthwise(const op_params& op, std::size_t half, int kernel, int dilation, int parent, bool last) {
    const int c = job_.seen;
    conv_unit<T>& made = unit(op.norms.at(half), c);
    unit_weights& which = plan_.weights.back();
    made.parent = parent;
    made.last = last;
    made.kernel = kernel;
    made.stride = parent < 0 ? job_.stride : 1;
    made.dilation = dilation;
    made.padding = dilation * (kernel - 1) / 2;
    which.depthwise = next_weight_ + static_cast<int>(2 * half);
    which.pointwise = which.depthwise + 1;
    made.depthwise = weight(which.depthwise, std::int64_t{c} * kernel * kernel);
    const T* w = weight(which.pointwise, std::int64_t{c} * c);
    made.pointwise.assign(w, w + std::int64_t{c} * c);
    const int taps = kernel * kernel;
    made.turned.resize(static_cast<std::size_t>(c * taps));
    for (int i = 0; i < c; ++i) {
      for (int t = 0; t < taps; ++t) {
        made.turned[static_cast<std::size_t>(i * taps + t)] = made.depthwise[i * taps + taps - 1 - t];
      }
    }
    if (parent < 0) {
      job_.depthwise = true;
      job_.padding = std::max(job_.padding, made.padding);
    }
    finish(made);
  }

  void separable(const op_params& op, int kernel) {
    expect(op.weights.size() == 4 && op.norms.size() == 2,
           "a separable convolution has 4 weights and 2 norms.");
    depthwise(op, 0, kernel, 1, -1, false);
    depthwise(op, 1, kernel, 1, static_cast<int>(job_.units.size()) - 1, true);
  }

  void dilated(const op_params& op, int kernel) {
    expect(op.weights.size() == 2 && op.norms.size() == 1, "a dilated convolution has 2 weights and 1 norm.");
    depthwise(op, 0, kernel, 2, -1, true);
  }

  void normal(const op_params& op, int kernel) {
    const int c = job_.seen;
    expect((op.weights.size() == 1 || op.weights.size() == 2) && op.norms.size() == 1,
           "nor_conv has a weight, perhaps a bias, and 1 norm.");
    expect(kernel == 1 || job_.stride == 1, "nor_conv_3x3 has a fused form at stride 1 only.");
    conv_unit<T>& made = unit(op.norms[0], c);
    made.kind = kernel == 1 ? conv_unit<T>::gather::sampled : conv_unit<T>::gather::dense;
    made.stride = job_.stride;
    made.kernel = kernel;
    made.padding = kernel / 2;
    unit_weights& which = plan_.weights.back();
    which.pointwise = next_weight_;
    const int taps = kernel * kernel;
    const T* w = weight(which.pointwise, std::int64_t{c} * c * taps);
    made.pointwise.resize(static_cast<std::size_t>(c * c * taps));
    for (int i = 0; i < c * c; ++i) {  // tap by tap
      for (int t = 0; t < taps; ++t)
        made.pointwise[static_cast<std::size_t>(t * c * c + i)] = w[i * taps + t];
    }
    if (op.weights.size() == 2) {
      which.bias = next_weight_ + 1;
      const T* b = weight(which.bias, c);
      made.bias.assign(b, b + c);
    }
    if (kernel > 1) {
      job_.depthwise = true;
      job_.padding = std::max(job_.padding, made.padding);
    }
    finish(made);
  }

  void skip(const op_params& op) {
    if (job_.stride == 1) {
      expect(op.weights.empty() && op.norms.empty(), "skip_connect at stride 1 has no weights.");
      edge().terms.push_back({edge_term::source::identity, op_, -1, -1});
      return;
    }
    const int c = job_.seen;
    expect(op.weights.size() == 2 && op.norms.size() == 1,
           "skip_connect at stride 2 has 2 weights and 1 norm.");
    expect(job_.height % 2 == 0 && job_.width % 2 == 0,
           "skip_connect at stride 2 needs even height and width.");
    conv_unit<T>& made = unit(op.norms[0], 2 * c);
    made.kind = conv_unit<T>::gather::sampled;
    made.stride = 2;
    unit_weights& which = plan_.weights.back();
    which.pointwise = next_weight_;
    which.second = next_weight_ + 1;
    const T* one = weight(which.pointwise, std::int64_t{c / 2} * c);
    const T* two = weight(which.second, std::int64_t{c - c / 2} * c);
    made.pointwise.assign(static_cast<std::size_t>(2 * c * c),
                          T(0));  // the first half reads one grid, the second the other
    for (int j = 0; j < c; ++j) {
      const T* from = j < c / 2 ? one + j * c : two + (j - c / 2) * c;
      std::copy(from, from + c, made.pointwise.begin() + 2 * j * c + (j < c / 2 ? 0 : c));
    }
    finish(made);
  }

  void pool(const op_params& op, edge_term::source from) {
    expect(op.weights.empty() && op.norms.size() <= 1, "a pool has no weights and at most 1 norm.");
    (from == edge_term::source::maximum ? job_.maximum : job_.average) = true;
    // The slot is not known before all units are: -1 and -2 stand for it until then.
    const int slot = from == edge_term::source::maximum ? -1 : -2;
    edge().terms.push_back({from, op_, -1, op.norms.empty() ? -1 : norm(op.norms[0], slot)});
  }

  state_plan<T>& plan_;
  state_job<T>& job_;
  const std::vector<at::Tensor>& flat_;
  int edge_ = 0;
  int op_ = 0;
  int next_weight_ = 0;
};

}  // namespace detail

/// The plan for a blocked state x, [blocks, channels, height, width, lanes]. op_weights: [edges, ops];
/// edge_weights: [edges] or null for 1.
template <class T>
state_plan<T> make_plan(const at::Tensor& x, const T* op_weights, std::int64_t ops, const T* edge_weights,
                        const std::vector<mixed_edge>& edges, const std::vector<at::Tensor>& flat,
                        state_shape shape, norm_mode mode) {
  using detail::expect;
  state_plan<T> plan;
  plan.mode = mode;
  state_job<T>& job = plan.job;
  job.lanes = lanes<T>();
  expect(x.dim() == 5 && x.size(4) == job.lanes && x.size(0) == (shape.batch + job.lanes - 1) / job.lanes,
         "the state is not a blocked tensor of this batch: make it with to_blocked.");
  job.batch = shape.batch;
  job.blocks = x.size(0);
  job.channels = static_cast<int>(x.size(1));
  job.partial = static_cast<int>(shape.partial);
  expect(shape.partial >= 1 && x.size(1) % shape.partial == 0, "the channels are not a multiple of K.");
  expect(shape.stride == 1 || shape.stride == 2, "the stride must be 1 or 2.");
  job.seen = job.channels / job.partial;
  job.height = static_cast<int>(x.size(2));
  job.width = static_cast<int>(x.size(3));
  job.stride = static_cast<int>(shape.stride);
  job.out_height = (job.height + job.stride - 1) / job.stride;
  job.out_width = (job.width + job.stride - 1) / job.stride;
  expect(job.stride == 1 || job.partial == 1 || (job.height % 2 == 0 && job.width % 2 == 0),
         "partial channels at stride 2 need even height and width (the bypass is max-pooled 2x2).");
  expect(!mode.training || job.batch * job.out_height * job.out_width > 1,
         "batch statistics need more than one value per channel; this is one image of one pixel.");

  job.edges.resize(edges.size());
  detail::planner<T> make(plan, flat);
  for (std::size_t e = 0; e < edges.size(); ++e) {
    expect(static_cast<std::int64_t>(edges[e].ops.size()) == ops,
           "op_weights must have a column for each op of each edge.");
    auto& edge = job.edges[e];
    edge.target = static_cast<int>(edges[e].target);
    edge.weight = edge_weights ? edge_weights[e] : T(1);
    edge.op_weights.assign(op_weights + static_cast<std::int64_t>(e) * ops,
                           op_weights + static_cast<std::int64_t>(e + 1) * ops);
    for (std::size_t o = 0; o < edges[e].ops.size(); ++o)
      make.add(static_cast<int>(e), static_cast<int>(o), edges[e].ops[o]);
    edge.sums = job.edge_sums_size;
    job.edge_sums_size += (1 + static_cast<std::int64_t>(edge.terms.size())) * job.seen + 1;
  }
  job.slots = static_cast<int>(job.units.size());
  if (job.maximum) job.maximum_slot = job.slots++;
  if (job.average) job.average_slot = job.slots++;
  for (auto& norm : job.norms) {
    if (norm.slot == -1) norm.slot = job.maximum_slot;
    if (norm.slot == -2) norm.slot = job.average_slot;
  }
  return plan;
}

}  // namespace crispnas::kernels
