// error: crispnas::partial_channels: K must be at least 1.*(K > 0 .with K = 0|0 > 0)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::partial_channels<0>> {};
