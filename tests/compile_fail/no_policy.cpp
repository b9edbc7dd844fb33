// error: crispnas::spec: this type is no policy\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::keep<1, cn::nodes<2>>> {};
