// error: crispnas::spec: this regularizer does not say whether
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct half_a_regularizer {
  using slot = cn::slots::regularizer;
};
struct mine : cn::spec<cn::darts_cell, half_a_regularizer> {};
