// Hands a cell on: its network as a Python module of plain PyTorch with weights, the cell as a C++ header, as text in every dialect,
// and drawn.
#include <fmt/format.h>

#include <bit>
#include <crispnas/derived/python_module.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "support/cell_files.hpp"
#include "support/cli.hpp"
#include "support/find_genotype.hpp"

namespace {

namespace cn = crispnas;

struct export_flags {
  std::string genotype;
  std::string network = "auto";
  std::optional<int> channels, cells, classes, image;
  int image_channels = 3;
  bool auxiliary = false;
  std::string weights;
  std::string name = "found";
  std::string out;
  std::uint64_t seed = 0;
};

cn::derived_options options_of(const export_flags& flags, const cn::genotype& found) {
  const bool residual =
      found.normal.inputs == 1 && !found.has_reduction && std::popcount(found.normal.concat) == 1;
  const std::string network = flags.network != "auto" ? flags.network : residual ? "nas_bench_201" : "cifar";
  cn::derived_options o = network == "imagenet"        ? cn::presets::imagenet_network()
                          : network == "nas_bench_201" ? cn::presets::nas_bench_201_network()
                                                       : cn::presets::cifar_network();
  o.channels = flags.channels.value_or(o.channels);
  o.cells = flags.cells.value_or(o.cells);
  o.classes = flags.classes.value_or(o.classes);
  o.image_channels = flags.image_channels;
  o.auxiliary = flags.auxiliary;
  o.seed = flags.seed;
  return o;
}

void run(const export_flags& flags) {
  const cn::genotype found = support::find_genotype(flags.genotype);
  const auto options = options_of(flags, found);
  const auto module = support::or_usage_error([&] { return cn::to_python(found, options); });
  support::or_usage_error([&] { return cn::to_cpp_header(found, flags.name); });
  cn::any_derived_network net =
      support::or_usage_error([&] { return cn::any_derived_network(found, options); });
  support::check_output_folder(flags.out);
  if (!flags.weights.empty()) cn::load_state(cn::published_state(net), flags.weights);

  // An example that the module can be checked against, where and whenever it is used.
  const int image = flags.image.value_or(options.skeleton == cn::derived_skeleton::imagenet ? 224 : 32);
  net.eval();
  at::NoGradGuard no_grad;
  // Noise on a colour of its own for each image: of noise alone the network would see the same averages.
  auto generator = at::detail::createCPUGenerator(options.seed);
  const at::Tensor images =
      at::empty({2, options.image_channels, image, image}).normal_(0.0, 1.0, generator) +
      at::empty({2, options.image_channels, 1, 1}).normal_(0.0, 1.0, generator);
  const at::Tensor logits = support::or_usage_error([&] { return net.forward(images).logits; });

  const std::filesystem::path out = flags.out;
  support::write_cell_files(out, found, flags.name);
  support::write_file(out / "model.py", module);
  cn::save_state(cn::published_state(net), out / "model.safetensors",
                 {{"format", "pt"}, {"genotype", cn::to_text(found)}});
  cn::write_safetensors(out / "example.safetensors", {{"images", images}, {"logits", logits}},
                        {{"format", "pt"}});
  fmt::print("{} weights{}; model.py, model.safetensors, {}.hpp, genotype.json, pictures: {}\n",
             net.weight_count(), flags.weights.empty() ? " (initial ones; --weights takes trained ones)" : "",
             flags.name, std::filesystem::absolute(out).lexically_normal().string());
}

}  // namespace

int main(int argc, char** argv) {
  export_flags flags;
  CLI::App app{
      "Writes the network of a genotype as a Python module for plain PyTorch, and the cell as C++ header, "
      "texts and pictures."};
  app.option_defaults()->always_capture_default();
  app.add_option("--genotype", flags.genotype,
                 "known name, number in NAS-Bench-201, text, file (genotype.txt of a search) or -")
      ->required();
  app.add_option("--network", flags.network, "auto: nas_bench_201 for cells of one input, else cifar")
      ->check(support::one_of({"auto", "cifar", "imagenet", "nas_bench_201"}));
  app.add_option("--channels", flags.channels, "C of the first cells; 36, 48 (imagenet), 16 (nas_bench_201)")
      ->check(support::between(1, 4096));
  app.add_option("--cells", flags.cells, "20, 14 (imagenet), 5 of each stage (nas_bench_201)")
      ->check(support::between(1, 1000));
  app.add_option("--classes", flags.classes, "10, 1000 (imagenet)")->check(support::between(2, 100000));
  app.add_option("--image-channels", flags.image_channels, "channels of the images")
      ->check(support::between(1, 4096));
  app.add_option("--image", flags.image, "side of the images of the example; 32, 224 (imagenet)")
      ->check(support::between(1, 4096));
  app.add_flag("--auxiliary", flags.auxiliary,
               "with the auxiliary head, as a file of weights from training has it");
  app.add_option("--weights", flags.weights,
                 "a .safetensors file of the network's weights; without it, initial ones")
      ->check(CLI::ExistingFile);
  app.add_option("--name", flags.name, "of the constant and the header in C++");
  app.add_option("--seed", flags.seed, "of initial values and of the example's images")
      ->check(support::not_negative());
  app.add_option("--out", flags.out, "folder for the files")->required();
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("export", [&] { run(flags); });
}
