// The mixed operations of all edges that leave one state, as one differentiable function on blocked tensors:
//   node[target(e)] += edge_weights[e] * shuffle(cat(sum over o of op_weights[e, o] * op_o(x[:, :C/K]),
//   bypass(x[:, C/K:])))
#pragma once

#include <algorithm>
#include <crispnas/kernels/backward.hpp>
#include <crispnas/kernels/once.hpp>
#include <crispnas/kernels/plan.hpp>
#include <crispnas/kernels/separate.hpp>
#include <crispnas/kernels/workspace.hpp>
#include <memory>
#include <utility>

namespace crispnas::kernels {

namespace detail {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What a call passes besides tensors.
struct state_call {
  std::vector<mixed_edge> edges;  // targets index the nodes that take part
  state_shape shape;
  norm_mode mode;
  bool edge_weights;          // are there any?
  std::vector<char> started;  // [nodes]: does the node hold something already?
};

template <class T>
struct mixed_state_function : torch::autograd::Function<mixed_state_function<T>> {
  // inputs: x, op_weights, edge_weights if any, the nodes that are started, weights...; outputs: all nodes.
  static variable_list forward(AutogradContext* ctx, at::TensorList inputs,
                               const std::shared_ptr<state_call>& call) {
    const at::Tensor x = inputs[0].contiguous();
    const at::Tensor op_weights = inputs[1].contiguous();
    std::size_t next = 2;
    const at::Tensor edge_weights = call->edge_weights ? inputs[next++].contiguous() : at::Tensor();
    const std::size_t nodes = call->started.size();
    variable_list out(nodes);
    variable_list dirty;
    for (std::size_t i = 0; i < nodes; ++i) {
      if (!call->started[i]) continue;
      out[i] = inputs[next++];
      expect(out[i].is_contiguous(), "a node to add to must be contiguous.");
      dirty.push_back(out[i]);
    }
    const variable_list flat(inputs.begin() + next, inputs.end());
    auto plan = make_plan<T>(x, op_weights.const_data_ptr<T>(), op_weights.size(1),
                             edge_weights.defined() ? edge_weights.const_data_ptr<T>() : nullptr, call->edges,
                             flat, call->shape, call->mode);
    state_job<T>& job = plan.job;
    auto& memory = workspace::of_process();
    for (auto& edge : job.edges) {
      at::Tensor& node = out[static_cast<std::size_t>(edge.target)];
      if (!node.defined()) {
        node = memory.take({job.blocks, job.channels, job.out_height, job.out_width, job.lanes}, x.options());
        edge.first = true;
      }
      edge.out = node.data_ptr<T>();
    }

    const at::Tensor z = memory.take({plan.z_size}, x.options());
    const std::int64_t pools = (job.maximum ? 1 : 0) + (job.average ? 1 : 0);
    const at::Tensor pooled = memory.take({pools * job.blocks * job.seen * job.out_plane()}, x.options());
    std::vector<double> sums(static_cast<std::size_t>(job.blocks * job.slots * job.seen * 2));
    job.x = x.const_data_ptr<T>();
    job.z = z.data_ptr<T>();
    job.pooled = pooled.data_ptr<T>();
    job.sums = sums.data();
    for_blocks<forward_first, T>(job, job.blocks);
    bool second = false;
    for (const auto& unit : job.units) second = second || unit.parent >= 0;
    if (second) {
      complete(plan, false);
      for_blocks<forward_second, T>(job, job.blocks);
    }
    complete(plan, true);
    for_blocks<forward_mix, T>(job, job.blocks);

    ctx->mark_dirty(dirty);
    variable_list saved{x, z, pooled};
    saved.insert(saved.end(), flat.begin(), flat.end());
    ctx->save_for_backward(std::move(saved));
    job.sums = nullptr;
    ctx->saved_data["plan"] = capsule<state_plan<T>>::wrap(std::move(plan));
    ctx->saved_data["call"] = capsule<std::shared_ptr<state_call>>::wrap(call);
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& given) {
    const variable_list saved = ctx->get_saved_variables();
    auto& plan = capsule<state_plan<T>>::unwrap(ctx->saved_data["plan"]);
    const state_call& call = *capsule<std::shared_ptr<state_call>>::unwrap(ctx->saved_data["call"]);
    const std::size_t nodes = call.started.size();
    const auto ops = static_cast<std::int64_t>(call.edges.front().ops.size());
    state_job<T> job = plan.job;
    const at::Tensor& x = saved[0];
    const auto edges = static_cast<std::int64_t>(job.edges.size());
    const std::size_t first_weight =
        2 + (call.edge_weights ? 1U : 0U) +
        static_cast<std::size_t>(std::count(call.started.begin(), call.started.end(), char{1}));
    const std::size_t weights = saved.size() - 3;
    job.wanted.input = ctx->needs_input_grad(0);
    job.wanted.coefficients = ctx->needs_input_grad(1) || (call.edge_weights && ctx->needs_input_grad(2));
    job.wanted.weights = false;
    for (std::size_t i = 0; i < weights; ++i) job.wanted.weights |= ctx->needs_input_grad(first_weight + i);
    variable_list gradients(2);
    at::Tensor edge_gradients;
    if (job.wanted.coefficients) {
      gradients[1] = at::zeros({edges, ops}, x.options());
      edge_gradients = at::zeros({edges}, x.options());
    }
    if (call.edge_weights) gradients.push_back(edge_gradients);
    variable_list outer_gradients(nodes);
    for (std::size_t i = 0; i < nodes; ++i) {
      outer_gradients[i] = given[i].contiguous();
      if (call.started[i]) gradients.push_back(given[i]);
    }
    for (auto& edge : job.edges)
      edge.gradient = outer_gradients[static_cast<std::size_t>(edge.target)].const_data_ptr<T>();

    std::vector<double> edge_sums(static_cast<std::size_t>(job.blocks * job.edge_sums_size));
    std::vector<double> weight_sums(static_cast<std::size_t>(job.blocks * job.weight_sums_size));
    std::vector<double> unit_sums(static_cast<std::size_t>(job.blocks * 2 * job.seen) * job.units.size());
    job.x = x.const_data_ptr<T>();
    job.z = saved[1].data_ptr<T>();
    job.pooled = saved[2].data_ptr<T>();
    job.edge_sums = edge_sums.data();
    job.weight_sums = weight_sums.data();
    job.unit_sums = unit_sums.data();
    const bool through = job.wanted.input || job.wanted.weights;  // or only the sums
    at::Tensor dx;
    at::Tensor dy;
    if (through) {
      dx = workspace_like(x);
      dy = workspace::of_process().take({plan.dy_size}, x.options());
      job.dx = dx.data_ptr<T>();
      job.dy = dy.data_ptr<T>();
    }
    for_blocks<backward_sums, T>(job, job.blocks);
    complete_terms(job, job.wanted.coefficients ? gradients[1].template data_ptr<T>() : nullptr, ops,
                   job.wanted.coefficients ? edge_gradients.data_ptr<T>() : nullptr);
    if (through) for_blocks<backward_last, T>(job, job.blocks);
    if (through && plan.dy_size > 0) {
      complete_units(job);
      for_blocks<backward_first, T>(job, job.blocks);
    }
    if (job.wanted.input) gradients[0] = dx;
    if (job.wanted.weights) {
      weight_gradients(plan, job, saved, gradients);
    } else {
      gradients.resize(gradients.size() + weights);
    }
    gradients.emplace_back();  // of `call`
    return once_differentiable(std::move(gradients));
  }

 private:
  static void complete(state_plan<T>& plan, bool last) {
    // Units with a successor come before their successor; all slots that pass 1 filled may be completed after
    // it, once.
    state_job<T>& job = plan.job;
    for (int slot = 0; slot < job.slots; ++slot) {
      const bool successor =
          slot < static_cast<int>(job.units.size()) && job.units[static_cast<std::size_t>(slot)].parent >= 0;
      const bool feeds =
          slot < static_cast<int>(job.units.size()) && !job.units[static_cast<std::size_t>(slot)].last;
      if (last ? !feeds : feeds && !successor)
        complete_norms(job, plan.norm_states, slot, slot + 1, plan.mode);
    }
  }

  static void weight_gradients(const state_plan<T>& plan, const state_job<T>& job, const variable_list& saved,
                               variable_list& gradients) {
    const std::size_t first = gradients.size();
    const auto sum = [&](std::int64_t column) {
      return static_cast<T>(block_sum(job.weight_sums, job.blocks, job.weight_sums_size, column));
    };
    for (std::size_t i = 3; i < saved.size(); ++i) gradients.push_back(at::zeros_like(saved[i]));
    const auto gradient = [&](int index) {
      return gradients[first + static_cast<std::size_t>(index)].template data_ptr<T>();
    };
    for (std::size_t i = 0; i < job.units.size(); ++i) {
      const auto& unit = job.units[i];
      const unit_weights& which = plan.weights[i];
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
        const std::int64_t taps = unit.kind == conv_unit<T>::gather::dense ? unit.kernel * unit.kernel : 1;
        const std::int64_t size = unit.pointwise_size() / taps;
        for (std::int64_t c = 0; c < size; ++c) {
          for (std::int64_t t = 0; t < taps; ++t) to[c * taps + t] = sum(unit.gradients + t * size + c);
        }
      }
      if (which.depthwise >= 0) {
        T* to = gradient(which.depthwise);
        for (std::int64_t c = 0; c < unit.depthwise_size(); ++c)
          to[c] = sum(unit.gradients + unit.pointwise_size() + c);
      }
      if (which.bias >= 0) bias_gradient(job, i, gradient(which.bias));
    }
  }

  /// Batch statistics cancel a bias; with running statistics its gradient is the sum of dz = a g.
  static void bias_gradient(const state_job<T>& job, std::size_t unit, T* to) {
    for (std::size_t e = 0; e < job.edges.size(); ++e) {
      const auto& edge = job.edges[e];
      for (std::size_t t = 0; t < edge.terms.size(); ++t) {
        if (edge.terms[t].from != edge_term::source::unit || edge.terms[t].unit != static_cast<int>(unit))
          continue;
        const bool batch = job.norms[static_cast<std::size_t>(edge.terms[t].norm)].batch;
        for (int j = 0; j < job.seen; ++j) {
          const double s0 = block_sum(job.edge_sums, job.blocks, job.edge_sums_size, edge.sums + j);
          const auto at = t * static_cast<std::size_t>(job.seen) + static_cast<std::size_t>(j);
          to[j] = batch ? T(0) : static_cast<T>(static_cast<double>(job.term_gradients[e][at].a) * s0);
        }
      }
    }
  }
};

}  // namespace detail

/// Adds what the edges of one state contribute to their nodes.
/// x: the state, blocked, [blocks, C, h, w, lanes] (see to_blocked). op_weights: [edges, ops]. edge_weights:
/// [edges], or undefined for 1. nodes: one blocked tensor per node, undefined where nothing has been added
/// yet; defined ones are added to in place. Returns the nodes. Gradients: x, op_weights, edge_weights, nodes,
/// weights of the ops; first order only. Throws crispnas::error where tables and tensors do not fit.
CRISPNAS_KERNELS_INLINE std::vector<at::Tensor> mixed_state(const at::Tensor& x, const at::Tensor& op_weights,
                                                            const at::Tensor& edge_weights,
                                                            const std::vector<mixed_edge>& edges,
                                                            const std::vector<at::Tensor>& nodes,
                                                            state_shape shape, norm_mode mode) {
  // Only nodes that an edge enters take part; the others pass through untouched.
  std::vector<at::Tensor> result = nodes;
  if (edges.empty()) return result;
  detail::expect(op_weights.dim() == 2 && op_weights.size(0) == static_cast<std::int64_t>(edges.size()) &&
                     op_weights.scalar_type() == x.scalar_type(),
                 "op_weights must be [edges, ops] of the state's type.");
  detail::expect(
      !edge_weights.defined() || (edge_weights.numel() == static_cast<std::int64_t>(edges.size()) &&
                                  edge_weights.scalar_type() == x.scalar_type()),
      "edge_weights must be [edges] of the state's type.");
  auto call = std::make_shared<detail::state_call>(
      detail::state_call{edges, shape, mode, edge_weights.defined(), {}});
  torch::autograd::variable_list inputs{x, op_weights};
  if (edge_weights.defined()) inputs.push_back(edge_weights);
  std::vector<std::int64_t> place(nodes.size(), -1);
  std::vector<std::size_t> back;
  for (auto& edge : call->edges) {
    detail::expect(edge.target >= 0 && edge.target < static_cast<std::int64_t>(nodes.size()),
                   "an edge enters no node.");
    const auto target = static_cast<std::size_t>(edge.target);
    if (place[target] < 0) {
      place[target] = static_cast<std::int64_t>(back.size());
      back.push_back(target);
      call->started.push_back(nodes[target].defined());
      if (nodes[target].defined()) inputs.push_back(nodes[target]);
    }
    edge.target = place[target];
  }
  const auto flat = flat_weights(edges);
  inputs.insert(inputs.end(), flat.begin(), flat.end());
  torch::autograd::variable_list out;
  if (x.scalar_type() == at::kDouble) {
    out = detail::mixed_state_function<double>::apply(at::TensorList(inputs), call);
  } else {
    detail::expect(x.scalar_type() == at::kFloat, "the state must be float32 or float64.");
    out = detail::mixed_state_function<float>::apply(at::TensorList(inputs), call);
  }
  for (std::size_t i = 0; i < back.size(); ++i) result[back[i]] = out[i];
  return result;
}

}  // namespace crispnas::kernels
