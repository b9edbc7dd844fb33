// error: crispnas::keep: a group is to keep more edges than enter its nodes\..*(Kept <= InDegree .with InDegree = 5; Kept = 6|6 <= 5)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::edge_budget<cn::keep<6, cn::nodes<2, 3>>, cn::keep<1, cn::nodes<4, 5>>>> {};
