// error: crispnas::edge_budget: more than 8 nodes of a cell are in joint groups\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine
    : cn::spec<
          cn::dense_cell<1, 10, cn::darts_ops>,
          cn::edge_budget<cn::keep<9, cn::nodes<1, 2, 3, 4, 5, 6, 7, 8, 9>>, cn::keep<1, cn::nodes<10>>>> {};
