// error: crispnas::da2s: this type is no factor of the loss\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::da2s<cn::schedules::linear>> {};
