// error: crispnas::spec: this type is no policy\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct half_a_cell {
  static constexpr int inputs = 2;
  static constexpr int nodes = 4;
  using ops = cn::darts_ops;
};
struct mine : cn::spec<half_a_cell, cn::keep_all> {};
