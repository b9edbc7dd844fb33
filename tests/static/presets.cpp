// What do the paper's spaces and budgets contain? Counted by hand, and by trying every subset of the edges.
#include "brute_force.hpp"

namespace cn = crispnas;
using cn::darts_cell, cn::keep, cn::nodes;

// Section 4.1 and 4.2.
static_assert(darts_cell::edges.size() == 14 && cn::darts_ops::size == 7 &&
              cn::darts_ops_with_none::size == 8);
static_assert(darts_cell::edges[0] == cn::edge{0, 2} && darts_cell::edges[4] == cn::edge{2, 3} &&
              darts_cell::edges[13] == cn::edge{4, 5});
static_assert(cn::darts_ops::names[0] == "max_pool_3x3" && cn::darts_ops::names[2] == "skip_connect" &&
              cn::darts_ops::names[6] == "dil_conv_5x5" && cn::darts_ops_with_none::names[0] == "none");
static_assert(cn::nas_bench_201_cell::edges.size() == 6 && cn::nas_bench_201_ops::size == 5);

template <class Budget>
using with = cn::spec<darts_cell, Budget>;
static_assert(cn::kept_edges_v<with<cn::edges_3_of_14>> == 3 &&
              cn::present_edges_v<with<cn::edges_3_of_14>> == 13);
static_assert(cn::kept_edges_v<with<cn::edges_4_of_14>> == 4 &&
              cn::present_edges_v<with<cn::edges_4_of_14>> == 14);
static_assert(cn::kept_edges_v<with<cn::edges_5_of_14>> == 5 &&
              cn::present_edges_v<with<cn::edges_5_of_14>> == 14);
static_assert(cn::kept_edges_v<with<cn::edges_6_of_14>> == 6 &&
              cn::present_edges_v<with<cn::edges_6_of_14>> == 14);
static_assert(cn::kept_edges_v<with<cn::edges_7_of_14>> == 7 &&
              cn::present_edges_v<with<cn::edges_7_of_14>> == 14);
static_assert(cn::kept_edges_v<with<cn::edges_8_of_14>> == 8 &&
              cn::present_edges_v<with<cn::edges_8_of_14>> == 14);
static_assert(cn::edges_v<cn::spec<>> == 14 && cn::kept_edges_v<cn::spec<>> == 8);

// Under 3/14 the edge 2 -> 3 is in no feasible set: where it were kept, node 2 would have no input.
static_assert(cn::table_v<with<cn::edges_3_of_14>>.normal.present == (0x3fffU & ~(1U << 4)));
static_assert(!cn::table_v<with<cn::edges_3_of_14>>.normal.has(4) &&
              cn::table_v<with<cn::edges_3_of_14>>.normal.has(3));

// Groups: one edge for node 2 and node 3 together, from five.
constexpr auto three = cn::edges_3_of_14::groups<darts_cell>();
static_assert(three.size() == 3 && three[0].kept == 1 && three[0].nodes == 0b1100 &&
              three[0].edges == 0b11111);
static_assert(three[1].nodes == 0b10000 && three[1].edges == 0b1111U << 5 && three[2].edges == 0b11111U << 9);
constexpr auto eight = cn::edges_8_of_14::groups<darts_cell>();
static_assert(eight.size() == 4 && eight[0].kept == 2 && eight[0].edges == 0b11 &&
              eight[3].edges == 0b11111U << 9);

// keep_all keeps what enters each node.
constexpr auto all = cn::keep_all::groups<cn::nas_bench_201_cell>();
static_assert(all.size() == 3 && all[0].kept == 1 && all[1].kept == 2 && all[2].kept == 3 &&
              all[2].edges == 0b111000);

// The number of kept sets, by hand: a node of n edges of which k are kept has (n over k) choices, as long as
// no node can die.
using brute_force::all_of;
static_assert(all_of<darts_cell, cn::edges_8_of_14>.kept_sets == 1 * 3 * 6 * 10);
static_assert(all_of<darts_cell, cn::edges_7_of_14>.kept_sets == 2 * 3 * 6 * 10);
static_assert(all_of<darts_cell, cn::edges_6_of_14>.kept_sets == 2 * 3 * 6 * 10);
static_assert(all_of<darts_cell, cn::edges_5_of_14>.kept_sets == 2 * 3 * 4 * 10);
static_assert(all_of<darts_cell, cn::edges_4_of_14>.kept_sets == 2 * 3 * 4 * 5);
// 3/14: node 2 or node 3 lives through one of 2 inputs each; node 4 then reads 3 living states, node 5
// reads 4.
static_assert(all_of<darts_cell, cn::edges_3_of_14>.kept_sets == (2 + 2) * 3 * 4);

static_assert(brute_force::agrees<darts_cell, cn::edges_3_of_14>());
static_assert(brute_force::agrees<darts_cell, cn::edges_4_of_14>());
static_assert(brute_force::agrees<darts_cell, cn::edges_5_of_14>());
static_assert(brute_force::agrees<darts_cell, cn::edges_6_of_14>());
static_assert(brute_force::agrees<darts_cell, cn::edges_7_of_14>());
static_assert(brute_force::agrees<darts_cell, cn::edges_8_of_14>());
static_assert(brute_force::agrees<cn::nas_bench_201_cell, cn::keep_all>());
