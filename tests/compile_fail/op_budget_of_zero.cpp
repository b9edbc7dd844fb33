// error: crispnas::op_budget: at least one operation is kept on an edge\..*(K > 0 .with K = 0|0 > 0)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::op_budget<0>> {};
