// error: crispnas::spec: the regularizer has an edge term, but the edges have no weights\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct mine : cn::spec<cn::darts_cell, cn::edges_4_of_14, cn::no_edge_weights, cn::da2s<>> {};
