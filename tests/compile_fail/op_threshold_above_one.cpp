// error: crispnas::op_threshold: a threshold is a percentage.*(Percent <= 100 .with Percent = 101|101 <= 100)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::fair_darts_spec<cn::partial_channels<1>> {};
struct too_much : cn::spec<cn::darts_cell, cn::op_threshold<101>> {};
