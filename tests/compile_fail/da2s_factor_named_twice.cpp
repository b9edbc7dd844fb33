// error: crispnas::da2s: a factor is named twice\.
#include <crispnas/spec.hpp>
namespace cn = crispnas;

using loss = cn::da2s<cn::lambda_1<cn::schedules::linear>, cn::lambda_c<cn::schedules::linear>,
                      cn::lambda_1<cn::schedules::step>>;
struct mine : cn::spec<cn::darts_cell, loss> {};
