// error: crispnas::spec: this policy does not say whose betas are used\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct shared_betas {
  using slot = cn::slots::beta_owner;
};
struct mine : cn::spec<cn::darts_cell, shared_betas> {};
