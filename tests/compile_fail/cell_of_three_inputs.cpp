// error: crispnas::spec: a cell reads the outputs of one or two cells before it
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::dense_cell<3, 2, cn::darts_ops>, cn::keep_all> {};
