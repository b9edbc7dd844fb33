// error: crispnas::schedules: this type is no schedule\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct ramp {};
struct mine : cn::spec<cn::darts_cell, cn::da2s<cn::lambda_1<cn::schedules::delayed<ramp>>>> {};
