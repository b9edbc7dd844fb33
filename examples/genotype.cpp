// Genotypes from the command line, without LibTorch: `genotype list`, `convert`, `dialects`, `compare`,
// `count`, `draw`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <crispnas/genotype/compare.hpp>
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/text.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "support/command_line.hpp"
#include "support/find_genotype.hpp"

namespace cn = crispnas;
namespace fs = std::filesystem;

namespace {

void list() {
  for (const auto& k : cn::known_genotypes) fmt::print("{:<16} {}\n", k.name, k.source);
  fmt::print("{:<16} the cells of NAS-Bench-201's table by their number\n", "0 ... 15624");
}

void convert(const std::string& input, const std::string& to) {
  const cn::genotype found = support::find_genotype(input);
  const auto wanted = cn::find_dialect(to);
  fmt::print("{}\n", support::or_usage_error(
                         [&] { return wanted ? cn::to_text(found, *wanted) : cn::to_text(found); }));
}

void dialects(const std::string& input) {
  const cn::genotype found = support::find_genotype(input);
  for (std::size_t i = 0; i < cn::dialect_names.size(); ++i) {
    const std::string why = cn::why_not(found, static_cast<cn::dialect>(i));
    fmt::print("{:<14} {}\n", cn::dialect_names[i], why.empty() ? "yes" : "no: " + why);
  }
}

/// 1 where they differ.
int compare(const std::string& a, const std::string& b) {
  const cn::genotype first = support::find_genotype(a);
  const cn::genotype second = support::find_genotype(b);
  const bool short_names = a != b && a.size() <= 16 && b.size() <= 16;
  const std::string difference =
      cn::difference(first, second, short_names ? a : "the first", short_names ? b : "the second");
  if (!difference.empty()) {
    fmt::print("{}", difference);
    return 1;
  }
  fmt::print("{}\n",
             first == second ? "the same" : "the same up to the order of genes and ops that are none");
  return 0;
}

struct count_flags {
  std::string network = "auto";
  std::optional<int> channels, cells, classes, image;
  bool auxiliary = false;
  bool classifier_bias = false;
};

void count(const std::string& input, const count_flags& flags) {
  const cn::genotype found = support::find_genotype(input);
  std::string network = flags.network;
  if (network == "auto") {
    network = found.normal.inputs == 1          ? "nas_bench_201"
              : flags.image.value_or(32) >= 224 ? "imagenet"
                                                : "cifar";
  }
  if (flags.auxiliary && network == "nas_bench_201") {
    throw support::usage_error("--auxiliary: the nas_bench_201 network has no auxiliary head.");
  }
  std::string scale;
  const auto filled = [&](auto sizes) {
    sizes.channels = flags.channels.value_or(sizes.channels);
    sizes.cells = flags.cells.value_or(sizes.cells);
    sizes.classes = flags.classes.value_or(sizes.classes);
    sizes.image = flags.image.value_or(sizes.image);
    if constexpr (requires { sizes.auxiliary; }) sizes.auxiliary = flags.auxiliary;
    if (flags.classifier_bias) sizes.convention = cn::counting_convention::conv_linear_and_classifier_bias;
    scale = fmt::format("{} network: C = {}, {} cells{}, {} classes, images of {} x {}", network,
                        sizes.channels, sizes.cells, network == "nas_bench_201" ? " in each of 3 stages" : "",
                        sizes.classes, sizes.image, sizes.image);
    return sizes;
  };
  const cn::network_count n = support::or_usage_error([&] {
    if (network == "nas_bench_201")
      return cn::count_nas_bench_201_network(found, filled(cn::nas_bench_201_sizes{}));
    if (network == "imagenet") return cn::count_imagenet_network(found, filled(cn::imagenet_sizes{}));
    return cn::count_cifar_network(found, filled(cn::cifar_sizes{}));
  });
  fmt::print("{}\n", scale);
  const auto line = [](const char* what, std::int64_t value) {
    fmt::print("{:<26} {:>14}  ({:.2f} M)\n", what, value, double(value) / 1e6);
  };
  line("parameters", n.network.parameters);
  line("multiply-adds", n.network.multiply_adds);
  if (flags.auxiliary) {
    line("auxiliary: parameters", n.auxiliary.parameters);
    line("auxiliary: multiply-adds", n.auxiliary.multiply_adds);
  }
  fmt::print("{}; M is 1,000,000\n", cn::describe(n.convention));
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  if (!file) throw cn::error("'" + path.string() + "' cannot be written. Check free space and permissions.");
}

struct draw_flags {
  bool svg = false;
  bool dot = false;
  std::string cell = "normal";
  std::string out;
};

void draw(const std::string& input, const draw_flags& flags) {
  const cn::genotype found = support::find_genotype(input);
  const auto title = [&](const char* cell) {
    return (input.size() <= 24 && input != "-" ? input + ", " : "") + cell + " cell";
  };
  if (flags.cell == "reduction" && !found.has_reduction) {
    throw support::usage_error(
        "--cell reduction: the genotype has no reduction cell; did you mean 'normal'?");
  }
  if (flags.out.empty()) {
    const bool normal = flags.cell == "normal";
    const cn::cell_genotype& cell = normal ? found.normal : found.reduction;
    fmt::print("{}", flags.dot ? cn::to_dot(cell) : cn::to_svg(cell, title(normal ? "normal" : "reduction")));
    return;
  }
  support::check_output_folder(flags.out);
  const bool both = flags.svg == flags.dot;
  for (const bool normal : {true, false}) {
    if (!normal && !found.has_reduction) continue;
    const char* name = normal ? "normal" : "reduction";
    const cn::cell_genotype& cell = normal ? found.normal : found.reduction;
    if (flags.svg || both)
      write(fs::path(flags.out) / (std::string(name) + ".svg"), cn::to_svg(cell, title(name)));
    if (flags.dot || both) write(fs::path(flags.out) / (std::string(name) + ".dot"), cn::to_dot(cell));
  }
  fmt::print("{}\n", fs::absolute(flags.out).lexically_normal().string());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Converts, compares, counts and draws genotypes. A genotype is named by one of `genotype list`, by its "
      "number in "
      "NAS-Bench-201, as a text in any dialect, as a file, or read from standard input (-)."};
  app.require_subcommand(1);
  std::string first, second;
  std::string to = "exact";
  count_flags counted;
  draw_flags drawn;
  const auto command = [&](const char* name, const char* what, bool takes_input = true) {
    CLI::App* sub = app.add_subcommand(name, what);
    if (takes_input) sub->add_option("genotype", first, "name, number, text, file or -")->required();
    return sub;
  };
  command("list", "the known genotypes and their sources", false);
  std::vector<std::string> forms{"exact"};
  for (const auto name : cn::dialect_names) forms.emplace_back(name);
  command("convert", "writes the genotype in a dialect")
      ->add_option("--to", to, "exact: darts, nas_bench_201 or edge_list, whichever says it to the letter")
      ->check(support::one_of(forms))
      ->capture_default_str();
  command("dialects", "which dialects can express the genotype, and what stands in the way of the others");
  command("compare", "what differs; exit code 1 where something does")
      ->add_option("other", second, "the second genotype")
      ->required();
  CLI::App* count_command = command("count", "parameters and multiply-adds of the genotype's network");
  count_command->add_option("--network", counted.network, "auto: by the genotype and the image")
      ->check(support::one_of({"auto", "cifar", "imagenet", "nas_bench_201"}))
      ->capture_default_str();
  count_command->add_option("--channels", counted.channels,
                            "C of the first cells; 36, 48 (imagenet), 16 (nas_bench_201)");
  count_command->add_option("--cells,--layers", counted.cells,
                            "20, 14 (imagenet), 5 of each stage (nas_bench_201)");
  count_command->add_option("--classes", counted.classes, "10, 1000 (imagenet)");
  count_command->add_option("--image", counted.image, "side of the images: 32, 224 (imagenet)");
  count_command->add_flag("--auxiliary", counted.auxiliary, "count the auxiliary head, too");
  count_command->add_flag(
      "--classifier-bias", counted.classifier_bias,
      "count the biases of the classifier as multiply-adds, as NAS-Bench-201's table does");
  CLI::App* draw_command = command("draw", "draws the cells");
  draw_command->add_flag("--svg", drawn.svg, "as SVG (the default)");
  draw_command->add_flag("--dot", drawn.dot, "as text for Graphviz");
  draw_command->add_option("--cell", drawn.cell, "the cell to print")
      ->check(support::one_of({"normal", "reduction"}))
      ->capture_default_str();
  draw_command->add_option("--out", drawn.out, "folder for files of all cells, instead of printing one");
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("genotype", [&] {
    if (app.got_subcommand("list")) list();
    if (app.got_subcommand("convert")) convert(first, to);
    if (app.got_subcommand("dialects")) dialects(first);
    if (app.got_subcommand("compare")) return compare(first, second);
    if (app.got_subcommand("count")) count(first, counted);
    if (app.got_subcommand("draw")) draw(first, drawn);
    return 0;
  });
}
