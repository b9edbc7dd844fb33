// error: crispnas::spec: this policy has no rule\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct my_weights {
  using slot = cn::slots::edge_weights;
};
struct mine : cn::spec<cn::darts_cell, my_weights> {};
