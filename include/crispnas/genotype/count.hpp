// Parameters and multiply-adds, counted at compile time or at run time: of super-networks and of the networks
// of a genotype.
#pragma once

#include <crispnas/genotype/count/cost.hpp>
#include <crispnas/genotype/count/networks.hpp>
#include <crispnas/genotype/count/ops.hpp>
#include <crispnas/genotype/count/supernet.hpp>
