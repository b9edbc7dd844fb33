// What the kernels compute for a spec is known to the compiler.
#include <crispnas/kernels/plan.hpp>
#include <crispnas/spec.hpp>
#include <cstddef>
#include <span>
#include <string_view>

namespace cn = crispnas;
namespace kernels = cn::kernels;

namespace {

constexpr auto darts = kernels::plan_v<cn::pc_darts_spec<>>;

constexpr int edges_of(std::span<const kernels::state_plan> states) {
  std::size_t sum = 0;
  for (const auto& state : states) sum += state.edges.size();
  return static_cast<int>(sum);
}

// Every kind has the published name of its tag.
#define CRISPNAS_TEST_KIND(op)                                                                      \
  static_assert(kernels::find_op(#op) == kernels::op_kind::op &&                                    \
                    kernels::detail::all_fused_ops::kind_of<cn::ops::op>() == kernels::op_kind::op, \
                "the kind and the tag of " #op " are not at the same place of their lists")
CRISPNAS_TEST_KIND(none);
CRISPNAS_TEST_KIND(max_pool_3x3);
CRISPNAS_TEST_KIND(avg_pool_3x3);
CRISPNAS_TEST_KIND(skip_connect);
CRISPNAS_TEST_KIND(sep_conv_3x3);
CRISPNAS_TEST_KIND(sep_conv_5x5);
CRISPNAS_TEST_KIND(sep_conv_7x7);
CRISPNAS_TEST_KIND(dil_conv_3x3);
CRISPNAS_TEST_KIND(dil_conv_5x5);
CRISPNAS_TEST_KIND(nor_conv_1x1);
CRISPNAS_TEST_KIND(nor_conv_3x3);
#undef CRISPNAS_TEST_KIND

// The paper's cell: 14 edges leave 6 states, the last of which has none.
static_assert(darts.normal.size() == 6 && darts.reduction.size() == 6);
static_assert(edges_of(darts.normal) == 14 && edges_of(darts.reduction) == 14);
static_assert(darts.normal[0].edges.size() == 4 && darts.normal[5].edges.empty());
// State 0 enters all nodes by the edges 0, 2, 5, 9 of the table.
static_assert(darts.normal[0].edges[1].row == 2 && darts.normal[0].edges[1].target == 1);
static_assert(darts.normal[0].edges[3].row == 9 && darts.normal[0].edges[3].target == 3);
// An edge has 6 convolutions at stride 1 (separable ones have two), and a seventh at stride 2, the skip.
static_assert(darts.normal[0].units.size() == 4 * 6 && darts.reduction[0].units.size() == 4 * 7);
static_assert(darts.normal[0].terms.size() == 4 * 7);
// In a reduction cell the edges from the cell's inputs have stride 2.
static_assert(darts.reduction[1].stride == 2 && darts.reduction[2].stride == 1 &&
              darts.normal[1].stride == 1);

// The second half of a separable convolution reads the first, at stride 1; its norm is what the edge adds up.
constexpr auto first = darts.reduction[0].units[1];
constexpr auto second = darts.reduction[0].units[2];
static_assert(!first.last && first.parent == -1 && first.stride == 2 && first.kernel == 3);
static_assert(second.last && second.parent == 1 && second.stride == 1 && second.half == 1);

// Pools are normalized in DARTS's space and bare in NAS-Bench-201's.
constexpr auto nas_bench = kernels::plan_v<cn::spec<cn::nas_bench_201_cell>>;
static_assert(darts.normal[0].terms[0].from == kernels::source::maximum &&
              darts.normal[0].terms[0].normalized);
static_assert(nas_bench.normal[0].terms.back().from == kernels::source::average &&
              !nas_bench.normal[0].terms.back().normalized);
static_assert(edges_of(nas_bench.normal) == 6);

// An edge that no budget reaches is in no plan: 2 -> 3 where nodes 2 and 3 keep one edge together.
constexpr auto three = kernels::plan_v<cn::spec<cn::edges_3_of_14>>;
static_assert(edges_of(three.normal) == 13);

// `none` computes nothing.
constexpr auto with_none = kernels::plan_v<cn::pc_darts_spec<cn::darts_cell_with_none>>;
static_assert(with_none.normal[0].units.size() == 4 * 6 && with_none.normal[0].terms.size() == 4 * 7);

// What has no fused form is left to LibTorch's operations.
struct own_op {
  static constexpr std::string_view name = "own_op";
};
using mixed_ops = cn::op_set<cn::ops::skip_connect, own_op, cn::ops::sep_conv_3x3>;
constexpr auto mixed = kernels::plan_v<cn::spec<cn::dense_cell<2, 2, mixed_ops>>>;
static_assert(mixed.normal[0].stock.size() == 2 && mixed.normal[0].stock[1].edge == 1 &&
              mixed.normal[0].stock[1].op == 1);
static_assert(mixed.normal[0].units.size() == 2 * 2 && mixed.normal[0].terms.size() == 2 * 2);

// So is a tag of one's own that has a published name: who names it means his own module.
struct renamed {
  static constexpr std::string_view name = "sep_conv_3x3";
};
constexpr auto named_alike =
    kernels::plan_v<cn::spec<cn::dense_cell<2, 2, cn::op_set<cn::ops::skip_connect, renamed>>>>;
static_assert(named_alike.normal[0].units.empty() && named_alike.normal[0].stock.size() == 2);

}  // namespace
