// error: crispnas::spec: the cut cell would have more than the 64 genes that a genotype holds\..*(Genes <= crispnas::most_genes .with Genes = 70|70 <= most_genes|70 <= 64)
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::keep_all, cn::op_budget<5>> {};
