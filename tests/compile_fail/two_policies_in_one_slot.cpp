// error: crispnas::spec: two policies answer the same question\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::edges_4_of_14, cn::da2s<>, cn::edges_8_of_14> {};
