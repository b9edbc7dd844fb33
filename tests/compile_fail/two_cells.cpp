// error: crispnas::spec: two policies answer the same question\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::keep_all, cn::nas_bench_201_cell> {};
