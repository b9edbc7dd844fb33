// error: crispnas::keep: a group is to keep more edges than enter its nodes\..*(Kept <= InDegree .with InDegree = 5; Kept = 7|7 <= 5)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

using tables = cn::budget_tables<cn::darts_cell,
                                 cn::edge_budget<cn::keep<1, cn::nodes<2, 3, 4>>, cn::keep<7, cn::nodes<5>>>>;
static_assert(tables::normal.nodes == 4);
