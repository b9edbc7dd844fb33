// error: crispnas::cells: this type is not an edge budget\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::cells<cn::edges_8_of_14, cn::keep<2, cn::nodes<2, 3, 4, 5>>>> {};
