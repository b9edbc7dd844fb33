// error: crispnas::edge_budget: no set of edges meets this budget and stays connected to the inputs\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::edge_budget<cn::keep<0, cn::nodes<2, 3, 4, 5>>>> {};
