// error: crispnas::edge_budget: this type is not a group\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::edge_budget<cn::nodes<2, 3, 4, 5>>> {};
