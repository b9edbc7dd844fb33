// error: crispnas::op_budget: more operations are to be kept on an edge than compete on it\..*(OpsKept <= Ops .with Ops = 7; OpsKept = 8|8 <= 7)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::op_budget<8>> {};
