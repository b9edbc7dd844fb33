// Which genotypes are published? Each as a constant, with the paper and the repository whose file lists it.
// They are facts, written here in the dialect of their source.
#pragma once

#include <array>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/text.hpp>
#include <string_view>

namespace crispnas {
namespace known {

inline constexpr genotype nasnet = parse_genotype(
    "Genotype(normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', "
    "0), ('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0), ('avg_pool_3x3', 0), "
    "('sep_conv_3x3', 1), ('skip_connect', 1)], normal_concat=range(2, 7), "
    "reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0), ('max_pool_3x3', 1), ('sep_conv_7x7', 0), "
    "('avg_pool_3x3', 1), ('sep_conv_5x5', 0), ('skip_connect', 3), ('avg_pool_3x3', 2), "
    "('sep_conv_3x3', 2), ('max_pool_3x3', 1)], reduce_concat=[4, 5, 6])");

inline constexpr genotype amoebanet = parse_genotype(
    "Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', "
    "2), ('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('skip_connect', 1), "
    "('skip_connect', 0), ('avg_pool_3x3', 1)], normal_concat=[4, 5, 6], "
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_7x7', 2), "
    "('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), "
    "('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)], reduce_concat=[3, 4, 6])");

inline constexpr genotype pnasnet = parse_genotype(
    "Genotype(normal=[('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), ('max_pool_3x3', "
    "1), ('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), ('max_pool_3x3', 1), "
    "('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=range(2, 7), "
    "reduce=[('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), ('max_pool_3x3', 1), "
    "('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), ('max_pool_3x3', 1), "
    "('sep_conv_3x3', 0), ('skip_connect', 1)], reduce_concat=range(2, 7))");

inline constexpr genotype darts_v1 = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', "
    "1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
    "normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), "
    "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype darts_v2 = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', "
    "1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype snas_mild = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', "
    "1), ('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0), ('sep_conv_3x3', 1)], "
    "normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('dil_conv_5x5', 2)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype snas_moderate = parse_genotype(
    "Genotype(normal=[('dil_conv_5x5', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('skip_connect', "
    "1), ('skip_connect', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 1)], "
    "normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_5x5', 0), ('dil_conv_5x5', 1), "
    "('sep_conv_5x5', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 0), ('sep_conv_5x5', 1)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype snas_aggressive = parse_genotype(
    "Genotype(normal=[('sep_conv_5x5', 0), ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', "
    "1), ('dil_conv_5x5', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_5x5', 1)], "
    "normal_concat=range(2, 6), "
    "reduce=[('sep_conv_5x5', 0), ('none', 1), ('sep_conv_5x5', 0), ('none', 1), ('none', 1), ('none', "
    "0), ('none', 1), ('none', 0)], reduce_concat=range(2, 6))");

inline constexpr genotype pdarts = parse_genotype(
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', "
    "1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], "
    "normal_concat=range(2, 6), "
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), "
    "('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype pc_darts_cifar = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', "
    "1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], "
    "normal_concat=range(2, 6), "
    "reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), "
    "('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype pc_darts_image = parse_genotype(
    "Genotype(normal=[('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', "
    "1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4)], "
    "normal_concat=range(2, 6), "
    "reduce=[('sep_conv_3x3', 0), ('skip_connect', 1), ('dil_conv_5x5', 2), ('max_pool_3x3', 1), "
    "('sep_conv_3x3', 2), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 3)], "
    "reduce_concat=range(2, 6))");

inline constexpr genotype fairdarts_a = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('max_pool_3x3', 4, 0), "
    "('sep_conv_3x3', 5, 0)], normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 2, 0), ('avg_pool_3x3', 2, 1), ('avg_pool_3x3', 3, 0), ('dil_conv_5x5', "
    "3, 1), ('avg_pool_3x3', 4, 0), ('sep_conv_5x5', 4, 1), ('skip_connect', 5, 0), ('skip_connect', "
    "5, 1)], reduce_concat=range(2, 6))");

inline constexpr genotype fairdarts_b = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_3x3', 2, 1), ('sep_conv_3x3', 3, 1), "
    "('dil_conv_3x3', 4, 0), ('sep_conv_5x5', 4, 1), ('dil_conv_5x5', 5, 1)], normal_concat=range(2, "
    "6), "
    "reduce=[('skip_connect', 2, 0), ('dil_conv_3x3', 2, 1), ('skip_connect', 3, 0), ('dil_conv_3x3', "
    "3, 1), ('max_pool_3x3', 4, 0), ('sep_conv_3x3', 4, 1), ('skip_connect', 5, 2), ('max_pool_3x3', "
    "5, 0)], reduce_concat=range(2, 6))");

inline constexpr genotype fairdarts_c = parse_genotype(
    "Genotype(normal=[('max_pool_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('dil_conv_3x3', 4, 0), "
    "('dil_conv_5x5', 4, 2), ('skip_connect', 5, 3), ('sep_conv_3x3', 5, 0)], normal_concat=range(2, "
    "6), "
    "reduce=[('dil_conv_3x3', 2, 1), ('dil_conv_5x5', 2, 0), ('dil_conv_3x3', 3, 0), ('sep_conv_3x3', "
    "3, 1), ('sep_conv_5x5', 4, 0), ('sep_conv_5x5', 4, 3), ('sep_conv_5x5', 5, 0), ('skip_connect', "
    "5, 1)], reduce_concat=range(2, 6))");

inline constexpr genotype sdarts_rs = parse_genotype(
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 1), ('skip_connect', "
    "0), ('sep_conv_3x3', 3), ('skip_connect', 1), ('sep_conv_3x3', 1), ('dil_conv_3x3', 2)], "
    "normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), "
    "('dil_conv_5x5', 3), ('max_pool_3x3', 0), ('sep_conv_3x3', 2), ('sep_conv_5x5', 3)], "
    "reduce_concat=range(2, 6))");

}  // namespace known

/// A published genotype, its name in `crispnas::known`, and where it comes from: paper, then repository.
struct known_genotype {
  std::string_view name;
  std::string_view source;
  const genotype* value;
};

inline constexpr std::array known_genotypes{
    known_genotype{"nasnet",
                   "Zoph et al., Learning transferable architectures for scalable image recognition (2018); "
                   "quark0/darts",
                   &known::nasnet},
    known_genotype{"amoebanet",
                   "Real et al., Regularized evolution for image classifier architecture search (2019); "
                   "quark0/darts",
                   &known::amoebanet},
    known_genotype{"pnasnet",
                   "Liu et al., Progressive neural architecture search (2018); D-X-Y/AutoDL-Projects",
                   &known::pnasnet},
    known_genotype{"darts_v1",
                   "Liu et al., DARTS: differentiable architecture search (2019), first order; quark0/darts",
                   &known::darts_v1},
    known_genotype{"darts_v2",
                   "Liu et al., DARTS: differentiable architecture search (2019), second order; quark0/darts",
                   &known::darts_v2},
    known_genotype{"snas_mild",
                   "Xie et al., SNAS: stochastic neural architecture search (2019), mild constraint; "
                   "SNAS-Series/SNAS-Series",
                   &known::snas_mild},
    known_genotype{"snas_moderate",
                   "Xie et al., SNAS: stochastic neural architecture search (2019), moderate constraint; "
                   "SNAS-Series/SNAS-Series",
                   &known::snas_moderate},
    known_genotype{"snas_aggressive",
                   "Xie et al., SNAS: stochastic neural architecture search (2019), aggressive constraint; "
                   "SNAS-Series/SNAS-Series",
                   &known::snas_aggressive},
    known_genotype{"pdarts",
                   "Chen et al., Progressive differentiable architecture search (2019); chenxin061/pdarts",
                   &known::pdarts},
    known_genotype{"pc_darts_cifar",
                   "Xu et al., PC-DARTS: partial channel connections (2020), searched on CIFAR-10; "
                   "yuhuixu1993/PC-DARTS",
                   &known::pc_darts_cifar},
    known_genotype{"pc_darts_image",
                   "Xu et al., PC-DARTS: partial channel connections (2020), searched on ImageNet; "
                   "yuhuixu1993/PC-DARTS",
                   &known::pc_darts_image},
    known_genotype{"fairdarts_a",
                   "Chu et al., Fair DARTS: eliminating unfair advantages (2020), cell a; "
                   "xiaomi-automl/FairDARTS",
                   &known::fairdarts_a},
    known_genotype{"fairdarts_b",
                   "Chu et al., Fair DARTS: eliminating unfair advantages (2020), cell b; "
                   "xiaomi-automl/FairDARTS",
                   &known::fairdarts_b},
    known_genotype{"fairdarts_c",
                   "Chu et al., Fair DARTS: eliminating unfair advantages (2020), cell c; "
                   "xiaomi-automl/FairDARTS",
                   &known::fairdarts_c},
    known_genotype{"sdarts_rs",
                   "Chen and Hsieh, Stabilizing differentiable architecture search via perturbation-based "
                   "regularization (2020), random smoothing; xiangning-chen/SmoothDARTS",
                   &known::sdarts_rs},
};

/// The genotype of that name, or nullptr.
constexpr const known_genotype* find_known_genotype(std::string_view name) {
  for (const known_genotype& k : known_genotypes) {
    if (k.name == name) return &k;
  }
  return nullptr;
}

}  // namespace crispnas
