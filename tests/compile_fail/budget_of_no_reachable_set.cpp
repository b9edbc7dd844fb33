// error: crispnas::edge_budget: no set of edges meets this budget and stays connected to the inputs\..*can_be_met_by_a_reachable_set
#include <crispnas/spec.hpp>
namespace cn = crispnas;

// Node 3 is to keep all its three edges, one of them from node 2, which keeps none.
struct mine : cn::spec<cn::darts_cell, cn::edge_budget<cn::keep<0, cn::nodes<2>>, cn::keep<3, cn::nodes<3>>,
                                                       cn::keep<1, cn::nodes<4, 5>>>> {};
