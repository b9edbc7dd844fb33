// error: crispnas::edge_budget: every node belongs to exactly one group\..*(TimesNamed == 1 .with TimesNamed = 2|2 == 1)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct twice {
  using slot = cn::slots::edge_budget;
  using normal = twice;
  using reduction = twice;
  template <class Cell>
  static constexpr auto groups() {
    auto groups = cn::keep_all::groups<Cell>();
    groups[1].nodes |= groups[0].nodes;
    return groups;
  }
};
struct mine : cn::spec<cn::darts_cell, twice> {};
