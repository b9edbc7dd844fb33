// error: crispnas::keep: the second argument says which nodes: keep<1, nodes<2, 3>>\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::edge_budget<cn::keep<1, int>>> {};
