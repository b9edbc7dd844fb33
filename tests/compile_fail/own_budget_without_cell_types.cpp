// error: crispnas::spec: this edge budget names no budgets for its two cell types\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct half_a_budget {
  using slot = cn::slots::edge_budget;
};
struct mine : cn::spec<cn::darts_cell, half_a_budget> {};
