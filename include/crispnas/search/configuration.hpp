// A spec as plain data: table, op builders, plan of the kernels, regularizer. For programs that choose among compiled-in specs at run time.
#pragma once

#include <crispnas/kernels/plan.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/loss/regularizer.hpp>
#include <crispnas/loss/separation.hpp>
#include <crispnas/nn/op.hpp>
#include <crispnas/spec/spec.hpp>
#include <span>

namespace crispnas {

/// Makes a super-network by `any_supernet(c.space, c.ops, c.plan, options)` and a search by `searcher(net, c.regularizer, options)`.
struct configuration {
  space_table space;
  std::span<const nn::op_factory> ops;
  kernels::network_plan plan;
  regularizer_function regularizer = nullptr;
};

template <search_spec Spec>
configuration configuration_of() {
  return {table_v<Spec>, nn::detail::factories<typename Spec::ops>::table, kernels::plan_v<Spec>,
          &regularizer_terms<typename Spec::regularizer>::at};
}

}  // namespace crispnas
