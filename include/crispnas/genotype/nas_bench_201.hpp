// Which cell has which number in NAS-Bench-201's table? Its 15,625 cells stand there in the order of their
// enumeration (first edge slowest, ops as in nas_bench_201_ops), shuffled by Python's random.seed(88) and
// random.shuffle, so that the order follows from a generator (MT19937) and needs no file.
#pragma once

#include <array>
#include <crispnas/error.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/spec/op_set.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace crispnas {

inline constexpr int nas_bench_201_cells = 15625;  // 5 ops on each of 6 edges

namespace detail {

/// The Mersenne twister (Matsumoto and Nishimura 1998), seeded by an array of one key as Python seeds it.
class python_random {
 public:
  constexpr explicit python_random(std::uint32_t key) {
    state_[0] = 19650218U;
    for (std::uint32_t i = 1; i < size; ++i) state_[i] = 1812433253U * mixed(i) + i;
    std::uint32_t i = 1;
    for (std::uint32_t k = size; k > 0; --k) {
      state_[i] = (state_[i] ^ (mixed(i) * 1664525U)) + key;
      advance(i);
    }
    for (std::uint32_t k = size - 1; k > 0; --k) {
      state_[i] = (state_[i] ^ (mixed(i) * 1566083941U)) - i;
      advance(i);
    }
    state_[0] = 0x80000000U;
  }
  /// A number below n, by as many high bits as n has, drawn again where they are too large.
  constexpr std::uint32_t below(std::uint32_t n) {
    int bits = 0;
    while ((n >> bits) != 0) ++bits;
    std::uint32_t value = n;
    while (value >= n) value = next() >> (32 - bits);
    return value;
  }

 private:
  static constexpr std::uint32_t size = 624;
  constexpr std::uint32_t mixed(std::uint32_t i) const { return state_[i - 1] ^ (state_[i - 1] >> 30); }
  constexpr void advance(std::uint32_t& i) {
    if (++i < size) return;
    state_[0] = state_[size - 1];
    i = 1;
  }
  constexpr std::uint32_t next() {
    if (at_ == size) {
      for (std::uint32_t i = 0; i < size; ++i) {
        const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % size] & 0x7fffffffU);
        state_[i] = state_[(i + 397) % size] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
      }
      at_ = 0;
    }
    std::uint32_t y = state_[at_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
  }

  std::uint32_t state_[size]{};
  std::uint32_t at_ = size;
};

/// The place in the enumeration of each cell of the table.
inline const std::array<std::uint16_t, nas_bench_201_cells>& nas_bench_201_order() {
  static const auto order = [] {
    std::array<std::uint16_t, nas_bench_201_cells> cells{};
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<std::uint16_t>(i);
    python_random random(88);
    for (std::size_t i = cells.size() - 1; i > 0; --i) {
      std::swap(cells[i], cells[random.below(static_cast<std::uint32_t>(i + 1))]);
    }
    return cells;
  }();
  return order;
}

}  // namespace detail

/// The cell of an index of NAS-Bench-201's table, 0 to 15,624. Throws crispnas::error for any other number.
inline genotype nas_bench_201_genotype(int index) {
  if (index < 0 || index >= nas_bench_201_cells) {
    throw error("crispnas::nas_bench_201_genotype: there is no cell " + std::to_string(index) +
                "; the table has the cells 0 to 15624.");
  }
  int place = detail::nas_bench_201_order()[static_cast<std::size_t>(index)];
  genotype found;
  found.has_reduction = false;
  found.normal.inputs = 1;
  found.normal.nodes = 3;
  found.normal.concat = 0b1000;
  int divisor = nas_bench_201_cells;
  for (int to = 1; to <= 3; ++to) {
    for (int from = 0; from < to; ++from) {
      divisor /= nas_bench_201_ops::size;
      found.normal.add(
          {op_name(nas_bench_201_ops::names[static_cast<std::size_t>(place / divisor)]), from, to});
      place %= divisor;
    }
  }
  return found;
}

/// The index in NAS-Bench-201's table. An edge without an op is `none`. Throws crispnas::error where the
/// genotype is no cell of that space.
inline int nas_bench_201_index(const genotype& g) {
  const auto refuse = [](const std::string& why) { throw error("crispnas::nas_bench_201_index: " + why); };
  const cell_genotype& cell = g.normal;
  if (g.has_reduction || cell.inputs != 1 || cell.nodes != 3 || cell.concat != 0b1000) {
    refuse(
        "a cell of NAS-Bench-201 has one input and three nodes, the last of which is its output, and no "
        "reduction cell beside it.");
  }
  int place = 0;
  for (int to = 1; to <= 3; ++to) {
    for (int from = 0; from < to; ++from) {
      const std::string edge = std::to_string(from) + " -> " + std::to_string(to);
      int op = 0;  // none
      int count = 0;
      for (const gene& x : cell) {
        if (x.from != from || x.to != to) continue;
        if (++count > 1) refuse("the edge " + edge + " has several ops.");
        op = -1;
        for (int i = 0; i < nas_bench_201_ops::size; ++i) {
          if (nas_bench_201_ops::names[static_cast<std::size_t>(i)] == x.op.view()) op = i;
        }
        if (op < 0)
          refuse("the edge " + edge + " has the op '" + std::string(x.op.view()) +
                 "', which is not of that space.");
      }
      place = place * nas_bench_201_ops::size + op;
    }
  }
  const auto& order = detail::nas_bench_201_order();
  int index = 0;
  while (order[static_cast<std::size_t>(index)] != place) ++index;
  return index;
}

}  // namespace crispnas
