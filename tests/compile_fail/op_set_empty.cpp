// error: crispnas::op_set: the set is empty\..*(Size > 0 .with Size = 0|0 > 0)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::dense_cell<2, 4, cn::op_set<>>> {};
