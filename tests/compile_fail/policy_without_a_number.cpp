// error: crispnas::spec: this policy has no number\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct half_of_channels {
  using slot = cn::slots::channels;
};
struct mine : cn::spec<cn::darts_cell, half_of_channels> {};
