// error: crispnas::edge_budget: every node belongs to exactly one group\..*(TimesNamed == 1 .with TimesNamed = 2|2 == 1)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell,
                       cn::edge_budget<cn::keep<1, cn::nodes<2, 2>>, cn::keep<1, cn::nodes<3, 4, 5>>>> {};
