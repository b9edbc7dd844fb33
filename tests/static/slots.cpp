// Are policies found in any order, and is the paper's choice made where nothing is said?
#include <crispnas/spec.hpp>
#include <type_traits>

namespace cn = crispnas;
using std::is_same_v;

// Nothing said: the paper's choices (section 4.1; K = 4 is PC-DARTS's).
using plain = cn::spec<>;
static_assert(is_same_v<plain::cell, cn::darts_cell> && is_same_v<plain::budget, cn::edges_8_of_14>);
static_assert(plain::channels::value == 4 && plain::kept_ops::value == 1);
static_assert(is_same_v<plain::edge_weights, cn::softmax_times_kept> &&
              is_same_v<plain::beta_cap, cn::clamped_beta>);
static_assert(is_same_v<plain::liveness, cn::live_sources_in_joint_groups> &&
              is_same_v<plain::edge_choice, cn::by_edge_weight>);
static_assert(is_same_v<plain::op_weights, cn::softmax_ops> && is_same_v<plain::beta_owner, cn::own_betas>);
static_assert(is_same_v<plain::regularizer, cn::da2s<>>);
static_assert(is_same_v<cn::da2s<>::c, cn::schedules::linear> &&
              is_same_v<cn::da2s<>::edge, cn::schedules::constant>);
static_assert(is_same_v<cn::da2s<>::op, cn::schedules::delayed<cn::schedules::logarithmic>>);

// Any order.
using one = cn::spec<cn::darts_cell_with_none, cn::partial_channels<2>, cn::edges_4_of_14, cn::op_budget<2>,
                     cn::softmax, cn::projected_beta, cn::live_sources, cn::by_product, cn::no_regularizer>;
using other =
    cn::spec<cn::no_regularizer, cn::by_product, cn::live_sources, cn::projected_beta, cn::softmax,
             cn::op_budget<2>, cn::edges_4_of_14, cn::partial_channels<2>, cn::darts_cell_with_none>;
template <class A, class B>
constexpr bool same_answers =
    is_same_v<typename A::cell, typename B::cell>&& is_same_v<typename A::channels, typename B::channels>&&
        is_same_v<typename A::budget, typename B::budget>&&
            is_same_v<typename A::kept_ops, typename B::kept_ops>&&
                is_same_v<typename A::edge_weights, typename B::edge_weights>&&
                    is_same_v<typename A::beta_cap, typename B::beta_cap>&&
                        is_same_v<typename A::liveness, typename B::liveness>&&
                            is_same_v<typename A::edge_choice, typename B::edge_choice>&&
                                is_same_v<typename A::regularizer, typename B::regularizer>;
static_assert(same_answers<one, other> && !same_answers<one, plain>);
static_assert(is_same_v<other::cell, cn::darts_cell_with_none> && other::channels::value == 2 &&
              other::kept_ops::value == 2);
static_assert(is_same_v<other::edge_weights, cn::softmax> && is_same_v<other::beta_cap, cn::projected_beta>);
static_assert(cn::table_v<other>.partial == 2 && cn::table_v<other>.ops_per_edge == 2 &&
              cn::table_v<other>.op_names.size() == 8 &&
              cn::table_v<other>.choice == cn::edge_choice_rule::product &&
              cn::table_v<other>.weights == cn::edge_weight_rule::softmax &&
              cn::table_v<other>.cap == cn::beta_cap_rule::project);

// Factors of the loss in any order; what is not named stays.
using loss = cn::da2s<cn::lambda_2<cn::schedules::step>, cn::lambda_c<cn::schedules::exponential>>;
static_assert(is_same_v<loss::edge, cn::schedules::step> && is_same_v<loss::c, cn::schedules::exponential> &&
              is_same_v<loss::op, cn::da2s<>::op>);

// Different budgets for the two cell types.
struct two : cn::spec<cn::cells<cn::edges_3_of_14, cn::edges_8_of_14>> {};
static_assert(cn::table_v<two>.normal.kept() == 3 && cn::table_v<two>.reduction.kept() == 8);
static_assert(cn::table_v<two>.normal.present == 0x3fefU && cn::table_v<two>.reduction.present == 0x3fffU);
static_assert(cn::table_v<two>.cell_types() == 2 && cn::table_v<two>.cell(1).kept() == 8);

// Choices that depend on others.
static_assert(is_same_v<cn::darts_spec<>::edge_choice, cn::by_strongest_op> &&
              !cn::table_v<cn::darts_spec<>>.has_edge_weights());
static_assert(is_same_v<cn::pc_darts_spec<>::edge_choice, cn::by_product>);
static_assert(
    is_same_v<cn::darts_spec<cn::edges_3_of_14, cn::partial_channels<1>>::budget, cn::edges_3_of_14>);
struct residual : cn::spec<cn::nas_bench_201_cell> {};
static_assert(is_same_v<residual::budget, cn::keep_all> && residual::channels::value == 1);
static_assert(cn::kept_edges_v<residual> == 6 && cn::table_v<residual>.cell_types() == 1);
static_assert(is_same_v<cn::spec<cn::dense_cell<2, 3, cn::darts_ops>>::budget, cn::keep_all>);
static_assert(cn::authors_code_spec::channels::value == 1 &&
              cn::table_v<cn::authors_code_spec>.swapped_betas);
using fair = cn::fair_darts_spec<cn::partial_channels<1>>;
static_assert(is_same_v<fair::edge_choice, cn::by_strongest_op> &&
              is_same_v<fair::budget, cn::edges_8_of_14> && cn::table_v<fair>.op_threshold == 85 &&
              cn::table_v<fair>.op_rule == cn::op_weight_rule::sigmoid);
static_assert(is_same_v<plain::threshold, cn::op_threshold<0>> && cn::table_v<plain>.op_threshold == 0);

// One super-network, several budgets.
using cut = cn::budget_tables<cn::darts_cell, cn::cells<cn::edges_5_of_14, cn::keep_all>>;
static_assert(cut::normal.kept() == 5 && cut::reduction.kept() == 14);
