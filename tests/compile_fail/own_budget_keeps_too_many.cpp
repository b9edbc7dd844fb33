// error: crispnas::keep: a group is to keep more edges than enter its nodes\..*(Kept <= InDegree .with InDegree = 2; Kept = 3|3 <= 2)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct three_for_every_node {
  using slot = cn::slots::edge_budget;
  using normal = three_for_every_node;
  using reduction = three_for_every_node;
  template <class Cell>
  static constexpr auto groups() {
    auto groups = cn::keep_all::groups<Cell>();
    for (auto& group : groups) group.kept = 3;
    return groups;
  }
};
struct mine : cn::spec<cn::darts_cell, three_for_every_node> {};
