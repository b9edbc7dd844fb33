// error: crispnas::spec: this cell is too large or empty\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::dense_cell<2, 12, cn::darts_ops>, cn::keep_all> {};
