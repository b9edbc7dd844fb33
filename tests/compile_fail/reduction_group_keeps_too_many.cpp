// error: crispnas::keep: a group is to keep more edges than enter its nodes\..*(Kept <= InDegree .with InDegree = 3; Kept = 4|4 <= 3)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

using reduction =
    cn::edge_budget<cn::keep<1, cn::nodes<2>>, cn::keep<4, cn::nodes<3>>, cn::keep<1, cn::nodes<4, 5>>>;
struct mine : cn::spec<cn::darts_cell, cn::cells<cn::edges_8_of_14, reduction>> {};
