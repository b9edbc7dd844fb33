// error: crispnas::spec: in residual stages a cell has one input and puts out its last node
#include <crispnas/spec.hpp>
namespace cn = crispnas;

using cell =
    cn::dense_cell<1, 3, cn::nas_bench_201_ops, cn::cell_output::concat, cn::skeleton::residual_stages>;
struct mine : cn::spec<cell, cn::keep_all> {};
