// error: crispnas::keep: a group is to keep more edges than enter its nodes\..*(Kept <= InDegree .with InDegree = 2; Kept = 3|3 <= 2)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine
    : cn::spec<cn::darts_cell, cn::edge_budget<cn::keep<3, cn::nodes<2>>, cn::keep<1, cn::nodes<3>>,
                                               cn::keep<1, cn::nodes<4>>, cn::keep<1, cn::nodes<5>>>> {};
