// error: crispnas::op_set: an operation is named twice\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

using ops = cn::op_set<cn::ops::skip_connect, cn::ops::sep_conv_3x3, cn::ops::skip_connect>;
struct mine : cn::spec<cn::dense_cell<2, 4, ops>> {};
