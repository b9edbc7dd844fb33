// The mixed operations of all edges that leave one state, as one differentiable function on blocked tensors:
//   node[target(e)] += edge_weights[e] * shuffle(cat(sum over o of op_weights[e, o] * op_o(x[:, :C/K]),
//   bypass(x[:, C/K:])))
#pragma once

#include <algorithm>
#include <array>
#include <crispnas/kernels/backward.hpp>
#include <crispnas/kernels/bind.hpp>
#include <crispnas/kernels/dispatch.hpp>
#include <crispnas/kernels/once.hpp>
#include <crispnas/kernels/separate.hpp>
#include <crispnas/kernels/state_edges.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <memory>
#include <utility>

namespace crispnas::kernels {

namespace detail {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A bound state on loan from the edges of its state, which live as long.
template <class T>
struct return_to_edges {
  std::shared_ptr<state_edges> owner;
  void operator()(bound_state<T>* bound) const { owner->give_back(std::unique_ptr<bound_state<T>>(bound)); }
};
template <class T>
using borrowed_state = std::unique_ptr<bound_state<T>, return_to_edges<T>>;

template <class T>
struct mixed_state_function : torch::autograd::Function<mixed_state_function<T>> {
  // inputs: x, op_weights, edge_weights if any, the nodes that are started, weights...; outputs: all nodes
  // that take part.
  static variable_list forward(AutogradContext* ctx, at::TensorList inputs, borrowed_state<T>* loan) {
    const state_edges& edges = *loan->get_deleter().owner;
    bound_state<T>& bound = **loan;
    ctx->saved_data["bound"] = capsule<borrowed_state<T>>::wrap(std::move(*loan));
    const at::Tensor x = inputs[0].contiguous();
    const at::Tensor op_weights = inputs[1].contiguous();
    std::size_t next = 2;
    const at::Tensor edge_weights = bound.has_edge_weights ? inputs[next++].contiguous() : at::Tensor();
    const std::size_t nodes = bound.started.size();
    variable_list out(nodes);
    variable_list dirty;
    for (std::size_t i = 0; i < nodes; ++i) {
      if (!bound.started[i]) continue;
      out[i] = inputs[next++];
      expect(out[i].is_contiguous(), "a node to add to must be contiguous.");
      dirty.push_back(out[i]);
    }
    const at::TensorList flat = inputs.slice(next);
    bind_state<T>(bound, edges, x, op_weights.const_data_ptr<T>(),
                  edge_weights.defined() ? edge_weights.const_data_ptr<T>() : nullptr, flat);
    state_job<T>& job = bound.job;
    auto& memory = workspace::of_process();
    for (auto& edge : job.edges) {
      at::Tensor& node = out[static_cast<std::size_t>(edge.target)];
      const std::array<std::int64_t, 5> shape{job.blocks, job.channels, job.out_height, job.out_width,
                                              job.lanes};
      expect(!node.defined() ||
                 (node.sizes() == at::IntArrayRef(shape) && node.scalar_type() == x.scalar_type()),
             "a node to add to is not of the size and type of what is added.");
      if (!node.defined()) {
        node = memory.take(shape, x.options());
        edge.first = true;
      }
      edge.out = node.data_ptr<T>();
    }

    const at::Tensor z = memory.take({bound.z_size}, x.options());
    const std::int64_t pools = (job.maximum ? 1 : 0) + (job.average ? 1 : 0);
    const at::Tensor pooled = memory.take({pools * job.blocks * job.seen * job.out_plane()}, x.options());
    const at::Tensor sums =
        memory.take({job.blocks * job.slots * job.seen * 2}, x.options().dtype(at::kDouble));
    job.x = x.const_data_ptr<T>();
    job.z = z.data_ptr<T>();
    job.pooled = pooled.data_ptr<T>();
    job.sums = sums.data_ptr<double>();
    for_blocks<forward_first, T>(job, job.blocks);
    bool second = false;
    for (const auto& unit : job.units) second = second || unit.parent >= 0;
    if (second) {
      complete(bound, true);
      for_blocks<forward_second, T>(job, job.blocks);
    }
    complete(bound, false);
    for_blocks<forward_mix, T>(job, job.blocks);

    ctx->mark_dirty(dirty);
    variable_list saved{x, z, pooled};
    saved.insert(saved.end(), flat.begin(), flat.end());
    ctx->save_for_backward(std::move(saved));
    job.sums = nullptr;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& given) {
    const variable_list saved = ctx->get_saved_variables();
    bound_state<T>& bound = *capsule<borrowed_state<T>>::unwrap(ctx->saved_data["bound"]);
    state_job<T>& job = bound.job;
    const std::size_t nodes = bound.started.size();
    const at::Tensor& x = saved[0];
    const std::size_t first_weight =
        2 + (bound.has_edge_weights ? 1U : 0U) +
        static_cast<std::size_t>(std::count(bound.started.begin(), bound.started.end(), char{1}));
    const std::size_t weights = saved.size() - 3;
    job.wanted.input = ctx->needs_input_grad(0);
    job.wanted.coefficients =
        ctx->needs_input_grad(1) || (bound.has_edge_weights && ctx->needs_input_grad(2));
    job.wanted.weights = false;
    for (std::size_t i = 0; i < weights; ++i) job.wanted.weights |= ctx->needs_input_grad(first_weight + i);
    variable_list gradients(2);
    at::Tensor edge_gradients;
    if (job.wanted.coefficients) {
      gradients[1] = workspace_zeros({bound.rows, bound.ops}, x.options());
      edge_gradients = workspace_zeros({bound.rows}, x.options());
    }
    if (bound.has_edge_weights) gradients.push_back(edge_gradients);
    variable_list outer_gradients(nodes);
    for (std::size_t i = 0; i < nodes; ++i) {
      outer_gradients[i] = given[i].contiguous();
      if (bound.started[i]) gradients.push_back(given[i]);
    }
    for (auto& edge : job.edges)
      edge.gradient = outer_gradients[static_cast<std::size_t>(edge.target)].const_data_ptr<T>();

    auto& memory = workspace::of_process();
    const auto sums = x.options().dtype(at::kDouble);
    const at::Tensor edge_sums = memory.take({job.blocks * job.edge_sums_size}, sums);
    const at::Tensor weight_sums = memory.take({job.blocks * job.weight_sums_size}, sums);
    const at::Tensor unit_sums =
        memory.take({job.blocks * static_cast<std::int64_t>(job.units.size()) * job.seen * 2}, sums);
    job.x = x.const_data_ptr<T>();
    job.z = saved[1].data_ptr<T>();
    job.pooled = saved[2].data_ptr<T>();
    job.edge_sums = edge_sums.data_ptr<double>();
    job.weight_sums = weight_sums.data_ptr<double>();
    job.unit_sums = unit_sums.data_ptr<double>();
    const bool through = job.wanted.input || job.wanted.weights;  // or only the sums
    at::Tensor dx;
    at::Tensor dy;
    if (through) {
      dx = workspace_like(x);
      dy = memory.take({bound.dy_size}, x.options());
      job.dx = dx.data_ptr<T>();
      job.dy = dy.data_ptr<T>();
    }
    for_blocks<backward_sums, T>(job, job.blocks);
    complete_terms(job, job.wanted.coefficients ? gradients[1].template data_ptr<T>() : nullptr, bound.ops,
                   job.wanted.coefficients ? edge_gradients.data_ptr<T>() : nullptr);
    if (through) for_blocks<backward_last, T>(job, job.blocks);
    if (through && bound.dy_size > 0) {
      complete_units(job);
      for_blocks<backward_first, T>(job, job.blocks);
    }
    if (job.wanted.input) gradients[0] = dx;
    if (job.wanted.weights) {
      weight_gradients(bound, saved, gradients);
    } else {
      gradients.resize(gradients.size() + weights);
    }
    gradients.emplace_back();  // of `loan`
    return once_differentiable(std::move(gradients));
  }

 private:
  /// Completes the statistics of units that another unit follows (`first`), or of everything else.
  static void complete(bound_state<T>& bound, bool first) {
    state_job<T>& job = bound.job;
    complete_norms<T>(job, bound.running, [&](int slot) {
      const auto unit = static_cast<std::size_t>(slot);
      return (unit < job.units.size() && !job.units[unit].last) == first;
    });
  }

  static void weight_gradients(const bound_state<T>& bound, const variable_list& saved,
                               variable_list& gradients) {
    const state_job<T>& job = bound.job;
    const std::size_t first = gradients.size();
    const auto sum = [&](std::int64_t column) {
      return static_cast<T>(block_sum(job.weight_sums, job.blocks, job.weight_sums_size, column));
    };
    for (std::size_t i = 3; i < saved.size(); ++i)
      gradients.push_back(workspace_zeros(saved[i].sizes(), saved[i].options()));
    const auto gradient = [&](int index) {
      return gradients[first + static_cast<std::size_t>(index)].template data_ptr<T>();
    };
    for (std::size_t i = 0; i < job.units.size(); ++i) {
      const auto& unit = job.units[i];
      const unit_weights& which = bound.weights[i];
      const std::int64_t seen = job.seen;
      if (which.second >= 0) {
        T* one = gradient(which.pointwise);
        T* two = gradient(which.second);
        for (std::int64_t j = 0; j < seen; ++j) {
          const bool lower = j < seen / 2;
          for (std::int64_t c = 0; c < seen; ++c) {
            (lower ? one[j * seen + c] : two[(j - seen / 2) * seen + c]) =
                sum(unit.gradients + j * 2 * seen + (lower ? c : seen + c));
          }
        }
      } else {
        T* to = gradient(which.pointwise);
        const std::int64_t taps = unit.kind == gather::dense ? unit.kernel * unit.kernel : 1;
        const std::int64_t size = unit.pointwise_size / taps;
        for (std::int64_t c = 0; c < size; ++c) {
          for (std::int64_t t = 0; t < taps; ++t) to[c * taps + t] = sum(unit.gradients + t * size + c);
        }
      }
      if (which.depthwise >= 0) {
        T* to = gradient(which.depthwise);
        for (std::int64_t c = 0; c < unit.depthwise_size; ++c)
          to[c] = sum(unit.gradients + unit.pointwise_size + c);
      }
      if (which.bias >= 0) bias_gradient(job, i, gradient(which.bias));
    }
  }

  /// Batch statistics cancel a bias; with running statistics its gradient is the sum of dz = a g.
  static void bias_gradient(const state_job<T>& job, std::size_t unit, T* to) {
    for (const auto& edge : job.edges) {
      const auto terms = job.terms_of(edge);
      for (std::size_t t = 0; t < terms.size(); ++t) {
        if (terms[t].from != source::unit || terms[t].unit != static_cast<int>(unit)) continue;
        const bool batch = job.norms[static_cast<std::size_t>(terms[t].norm)].batch;
        for (int j = 0; j < job.seen; ++j) {
          const double s0 = block_sum(job.edge_sums, job.blocks, job.edge_sums_size, edge.sums + j);
          to[j] = batch ? T(0) : static_cast<T>(static_cast<double>(job.term_gradient(edge, t)[j].a) * s0);
        }
      }
    }
  }
};

/// Lends a bound state, says which nodes take part, and calls the function.
template <class T>
std::vector<at::Tensor> run_state(const std::shared_ptr<state_edges>& edges, const at::Tensor& x,
                                  const at::Tensor& op_weights, const at::Tensor& edge_weights,
                                  std::vector<at::Tensor> nodes, std::int64_t batch,
                                  const std::vector<char>& used, norm_mode mode) {
  borrowed_state<T> loan(edges->take<T>().release(), {edges});
  bound_state<T>& bound = *loan;
  bound.mode = mode;
  bound.batch = batch;
  bound.rows = op_weights.size(0);
  bound.ops = op_weights.size(1);
  bound.has_edge_weights = edge_weights.defined();
  bound.used.assign(used.begin(), used.end());
  bound.started.clear();
  bound.place.assign(nodes.size(), -1);
  for (const auto& edge : edges->edges()) {
    expect(static_cast<std::int64_t>(edge.ops.size()) == bound.ops,
           "op_weights must have a column for each op of each edge.");
  }
  torch::autograd::variable_list inputs{x, op_weights};
  if (edge_weights.defined()) inputs.push_back(edge_weights);
  for (const auto& edge : edges->plan().edges) {
    expect(edge.target >= 0 && edge.target < static_cast<int>(nodes.size()), "an edge enters no node.");
    expect(edge.row < bound.rows, "op_weights must have a row for each edge.");
    const auto target = static_cast<std::size_t>(edge.target);
    if (bound.place[target] >= 0 || !bound.any_used(edge.row)) continue;
    bound.place[target] = static_cast<int>(bound.started.size());
    bound.started.push_back(nodes[target].defined());
    if (nodes[target].defined()) inputs.push_back(nodes[target]);
  }
  if (bound.started.empty()) return nodes;  // nothing of these edges is used
  for (std::size_t e = 0; e < edges->edges().size(); ++e) {
    const auto& ops = edges->edges()[e].ops;
    for (std::size_t o = 0; o < ops.size(); ++o) {
      if (bound.is_used(edges->plan().edges[e].row, static_cast<std::int64_t>(o)))
        inputs.insert(inputs.end(), ops[o].weights.begin(), ops[o].weights.end());
    }
  }
  const std::vector<int> place = bound.place;  // `loan` goes to the graph
  const auto out = mixed_state_function<T>::apply(at::TensorList(inputs), &loan);
  for (std::size_t i = 0; i < place.size(); ++i) {
    if (place[i] >= 0) nodes[i] = out[static_cast<std::size_t>(place[i])];
  }
  return nodes;
}

}  // namespace detail

/// Adds what the edges of one state contribute to their nodes.
/// x: the state, blocked, [blocks, C, h, w, lanes] (see to_blocked). op_weights: [rows, ops], of which the
/// plan's edges name their rows. edge_weights: [rows], or undefined for 1. nodes: one blocked tensor per node,
/// undefined where nothing has been added yet; defined ones are added to in place. used: [rows, ops], what a
/// cut leaves, or empty for all. Returns the nodes. Gradients: x, op_weights, edge_weights, nodes, weights of
/// the ops; first order only. Throws crispnas::error where tables and tensors do not fit.
/// In the steady state all memory that grows with the images (planes, sums) is kept from earlier calls;
/// LibTorch's handles of tensors and nodes of the graph and some short lists are made anew.
CRISPNAS_KERNELS_INLINE std::vector<at::Tensor> mixed_state(const std::shared_ptr<state_edges>& edges,
                                                            const at::Tensor& x, const at::Tensor& op_weights,
                                                            const at::Tensor& edge_weights,
                                                            std::vector<at::Tensor> nodes, std::int64_t batch,
                                                            const std::vector<char>& used, norm_mode mode) {
  if (edges->edges().empty()) return nodes;
  detail::expect(op_weights.dim() == 2 && op_weights.scalar_type() == x.scalar_type(),
                 "op_weights must be [edges, ops] of the state's type.");
  detail::expect(!edge_weights.defined() || (edge_weights.numel() == op_weights.size(0) &&
                                             edge_weights.scalar_type() == x.scalar_type()),
                 "edge_weights must be [edges] of the state's type.");
  detail::expect(used.empty() || static_cast<std::int64_t>(used.size()) == op_weights.numel(),
                 "what is used must be told of each op of each edge.");
  if (x.scalar_type() == at::kDouble) {
    return detail::run_state<double>(edges, x, op_weights, edge_weights, std::move(nodes), batch, used, mode);
  }
  detail::expect(x.scalar_type() == at::kFloat, "the state must be float32 or float64.");
  return detail::run_state<float>(edges, x, op_weights, edge_weights, std::move(nodes), batch, used, mode);
}

/// The same for edges that no spec knows: row e of the weights belongs to edge e, and the plan is made anew.
CRISPNAS_KERNELS_INLINE std::vector<at::Tensor> mixed_state(const at::Tensor& x, const at::Tensor& op_weights,
                                                            const at::Tensor& edge_weights,
                                                            const std::vector<mixed_edge>& edges,
                                                            const std::vector<at::Tensor>& nodes,
                                                            state_shape shape, norm_mode mode,
                                                            const std::vector<char>& used) {
  return mixed_state(std::make_shared<state_edges>(edges, shape.partial, shape.stride), x, op_weights,
                     edge_weights, nodes, shape.batch, used, mode);
}

}  // namespace crispnas::kernels
