// What does the paper report? Its tables 1 to 5 as they are printed (Tian et al., Discretization-aware architecture search, 2020), to
// stand beside what is measured. Rows of other methods are the paper's quotations of their papers.
#pragma once

#include <array>
#include <string_view>

namespace support::paper {

struct method_row {
  std::string_view name;
  std::string_view error;
  std::string_view parameters;  ///< millions
  std::string_view cost;        ///< GPU-days
  std::string_view search;
};

/// Table 1, CIFAR-10.
inline constexpr std::array<method_row, 15> table_1{{
    {"DenseNet-BC", "3.46", "25.6", "-", "manual"},
    {"NASNet-A + cutout", "2.65", "3.3", "1800", "RL"},
    {"AmoebaNet-B + cutout", "2.55+-0.05", "2.8", "3150", "evolution"},
    {"Hierarchical Evolution", "3.75+-0.12", "15.7", "300", "evolution"},
    {"PNAS", "3.41+-0.09", "3.2", "225", "SMBO"},
    {"ENAS + cutout", "2.89", "4.6", "0.5", "RL"},
    {"NAONet-WS", "3.53", "3.1", "0.4", "NAO"},
    {"DARTS (1st order) + cutout", "3.00+-0.14", "3.3", "0.4", "gradient-based"},
    {"DARTS (2nd order) + cutout", "2.76+-0.09", "3.3", "1", "gradient-based"},
    {"SNAS (moderate) + cutout", "2.85+-0.02", "2.8", "1.5", "gradient-based"},
    {"ProxylessNAS + cutout", "2.08", "-", "4.0", "gradient-based"},
    {"P-DARTS + cutout", "2.50", "3.4", "0.3", "gradient-based"},
    {"PC-DARTS + cutout", "2.57+-0.07", "3.6", "0.1", "gradient-based"},
    {"BayesNAS + cutout", "2.81+-0.04", "3.4", "0.2", "gradient-based"},
    {"DA2S + cutout", "2.42/2.51+-0.09", "3.4", "0.3", "gradient-based"},
}};

struct function_error {
  std::string_view function;
  std::string_view error;
};

/// Table 2: lambda_c, lambda_1 = lambda_2 = 1.
inline constexpr std::array<function_error, 6> table_2{{{"baseline", "2.76+-0.09"},
                                                        {"const", "2.64+-0.14"},
                                                        {"log", "2.56+-0.06"},
                                                        {"exp", "2.78+-0.11"},
                                                        {"step", "2.60+-0.07"},
                                                        {"linear", "2.54+-0.02"}}};

struct priority_row {
  std::string_view function;
  std::string_view edges_delayed;  ///< lambda_1 = 1, lambda_2 the function: average
  std::string_view ops_delayed;    ///< lambda_2 = 1, lambda_1 the function: average
};

/// Table 3: the averages (its best of several seeds are not comparable with a mean).
inline constexpr std::array<priority_row, 5> table_3{{{"const", "2.74+-0.03", "2.56+-0.03"},
                                                      {"linear", "2.57+-0.02", "2.68+-0.02"},
                                                      {"exp", "2.53+-0.02", "2.60+-0.03"},
                                                      {"step", "2.54+-0.05", "2.57+-0.06"},
                                                      {"log", "2.64+-0.03", "2.51+-0.09"}}};

struct imbalanced_half {
  std::string_view error;
  std::string_view parameters;
  std::string_view drop;
};
struct imbalanced_row {
  int kept;
  imbalanced_half darts;
  imbalanced_half da2s;
};

/// Table 4: imbalanced budgets. It has no row for 8 of 14.
inline constexpr std::array<imbalanced_row, 4> table_4{
    {{3, {"5.83+-1.21", "1.5+-0.2", "87.87->10.03"}, {"3.67+-0.24", "1.9+-0.2", "85.52->64.23"}},
     {4, {"4.79+-1.17", "1.9+-0.3", "87.87->09.87"}, {"2.94+-0.09", "2.5+-0.1", "85.63->85.42"}},
     {5, {"3.23+-0.08", "2.2+-0.2", "87.87->10.12"}, {"2.72+-0.06", "2.9+-0.1", "84.76->71.85"}},
     {6, {"2.91+-0.05", "2.7+-0.1", "87.87->09.96"}, {"2.64+-0.02", "3.0+-0.1", "84.29->64.24"}}}};

struct imagenet_row {
  std::string_view name;
  std::string_view top_1;
  std::string_view top_5;
  std::string_view parameters;
  std::string_view multiply_adds;
  std::string_view cost;
  std::string_view search;
};

/// Table 5, ImageNet, mobile setting.
inline constexpr std::array<imagenet_row, 15> table_5{{
    {"Inception-v1", "30.2", "10.1", "6.6", "1448", "-", "manual"},
    {"MobileNet", "29.4", "10.5", "4.2", "569", "-", "manual"},
    {"ShuffleNet 2x (v1)", "26.4", "10.2", "~5", "524", "-", "manual"},
    {"ShuffleNet 2x (v2)", "25.1", "-", "~5", "591", "-", "manual"},
    {"NASNet-A", "26.0", "8.4", "5.3", "564", "1800", "RL"},
    {"AmoebaNet-C", "24.3", "7.6", "6.4", "570", "3150", "evolution"},
    {"PNAS", "25.8", "8.1", "5.1", "588", "225", "SMBO"},
    {"MnasNet-92", "25.2", "8.0", "4.4", "388", "-", "RL"},
    {"DARTS (2nd order)", "26.7", "8.7", "4.7", "574", "4.0", "gradient-based"},
    {"SNAS (mild)", "27.3", "9.2", "4.3", "522", "1.5", "gradient-based"},
    {"ProxylessNAS (GPU)", "24.9", "7.5", "7.1", "465", "8.3", "gradient-based"},
    {"P-DARTS (CIFAR10)", "24.4", "7.4", "4.9", "557", "0.3", "gradient-based"},
    {"PC-DARTS (CIFAR10)", "25.1", "7.8", "5.3", "586", "0.1", "gradient-based"},
    {"BayesNAS", "26.5", "8.9", "3.9", "-", "0.2", "gradient-based"},
    {"DA2S (CIFAR10)", "24.4", "7.3", "5.0", "565", "0.3", "gradient-based"},
}};

}  // namespace support::paper
