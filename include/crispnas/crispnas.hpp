// Everything. A program that wants less includes the layers that it uses; format.hpp (fmt) is apart.
#pragma once

#include <torch/torch.h>

#include <crispnas/data/batch_source.hpp>
#include <crispnas/data/cifar.hpp>
#include <crispnas/data/idx.hpp>
#include <crispnas/data/loader.hpp>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/derived/derived_network.hpp>
#include <crispnas/derived/python_module.hpp>
#include <crispnas/discretize/discretize.hpp>
#include <crispnas/discretize/gap.hpp>
#include <crispnas/discretize/random_cut.hpp>
#include <crispnas/genotype/compare.hpp>
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/cpp_header.hpp>
#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/literal.hpp>
#include <crispnas/genotype/nas_bench_201.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/io/safetensors.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/loss/separation.hpp>
#include <crispnas/search/configuration.hpp>
#include <crispnas/search/configuration_text.hpp>
#include <crispnas/search/searcher.hpp>
#include <crispnas/spec.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <crispnas/supernet/supernet.hpp>
#include <crispnas/train/trainer.hpp>
