// error: crispnas::op_set: this type is not an operation\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct blur {};
struct mine : cn::spec<cn::dense_cell<2, 4, cn::op_set<cn::ops::skip_connect, blur>>> {};
