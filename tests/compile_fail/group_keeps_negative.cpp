// error: crispnas::keep: the number of edges to keep is negative\..*(Kept >= 0 .with Kept = -1|-1 >= 0)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine
    : cn::spec<cn::darts_cell, cn::edge_budget<cn::keep<-1, cn::nodes<2>>, cn::keep<2, cn::nodes<3, 4, 5>>>> {
};
