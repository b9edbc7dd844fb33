// The paper's tables and figures, measured: runs what is missing of their grid of searches and retrainings, keeps every finished piece in
// a ledger, goes on where it was, and prints each table in the paper's layout with the paper's number beside the measured one.
#include <fmt/format.h>

#include <crispnas/crispnas.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/arms.hpp"
#include "support/cli.hpp"
#include "support/datasets.hpp"
#include "support/device_name.hpp"
#include "support/figures.hpp"
#include "support/grid.hpp"
#include "support/ledger.hpp"
#include "support/ledger_search.hpp"
#include "support/report.hpp"
#include "support/stop_signals.hpp"
#include "support/table_pages.hpp"
#include "support/table_scale.hpp"

namespace {

namespace cn = crispnas;
using support::arm;
using support::seed_range;

struct table_flags {
  std::string command;  ///< that the program was started by
  std::vector<std::string> tables;
  std::vector<std::string> figures;
  std::vector<std::string> curves;
  std::string scale = "cpu";
  std::string data;
  std::string imagenet;
  std::string out = "crispnas-tables";
  std::string device = "cpu";
  int seeds = 3;
  int first_seed = 0;
  int workers = 0;
  bool report = false;
  bool quiet = false;
};

// What is asked for: a table, a figure, the curve. Figures and the curve take the scale of table 4.
enum class kind { table, figure, curve };
struct product {
  kind what;
  int number;
  int scale_table;
  std::vector<arm> arms;
};

std::vector<product> products_of(const table_flags& flags) {
  std::vector<product> all;
  for (const auto& name : flags.tables)
    all.push_back({kind::table, std::stoi(name), std::stoi(name), support::arms_of_table(std::stoi(name))});
  for (const auto& name : flags.figures)
    all.push_back({kind::figure, std::stoi(name), 4, support::arms_of_figure(std::stoi(name))});
  for (auto& p : all) {
    // What table 5 trains, it trains on photographs.
    const bool without_images = p.what == kind::table && p.number == 5 && flags.imagenet.empty();
    for (auto& a : p.arms) a.retrained = a.retrained && !without_images;
  }
  if (!flags.curves.empty()) all.push_back({kind::curve, 0, 4, support::arms_of_lambda_curve()});
  return all;
}

support::text_table page_of(const product& p, const std::vector<support::measured>& all) {
  if (p.what == kind::curve) return support::lambda_page(all);
  switch (p.number) {
    case 1:
      return support::table_1_page(all);
    case 2:
      return support::table_2_page(all);
    case 3:
      return support::table_3_page(all);
    case 4:
      return support::table_4_page(all);
    default:
      return support::table_5_page(all);
  }
}

std::string training_text(const support::setting& s) {
  const auto& z = s.sizes;
  if (s.transfer) {
    return fmt::format(
        "from scratch: the ImageNet network (C = {}, {} cells), {} epochs of {} photographs of {} classes, "
        "batch {}, by the paper's recipe (rate 0.5 x batch / 1024); {} held-out photographs",
        z.imagenet_channels, z.imagenet_cells, z.imagenet_epochs, s.transfer->train,
        s.transfer->images.train.classes, z.imagenet_batch_size, s.transfer->held_out);
  }
  if (z.retrain == "derived") {
    return fmt::format(
        "from scratch: the CIFAR-10 network (C = {}, {} cells), {} epochs of {} images, batch {}, by DARTS's "
        "recipe",
        z.retrain_channels, z.retrain_cells, z.retrain_epochs, s.train.size(), z.retrain_batch_size);
  }
  return fmt::format(
      "from scratch: the cut cell in the network it was searched in, {} epoch{} of {} images, batch {}",
      z.retrain_epochs, z.retrain_epochs == 1 ? "" : "s", s.train.size(), z.retrain_batch_size);
}

std::vector<std::string> conditions_of(const support::setting& s, seed_range seeds) {
  return {
      fmt::format("scale '{}': {}: {}; {} seed{}", s.sizes.name, s.data,
                  support::scale_text(s.search, s.train.size(), s.held_out.size()), seeds.count,
                  seeds.count == 1 ? "" : "s"),
      fmt::format(
          "weights: SGD {} to {} (cosine); alpha, beta: Adam, so that a logit can travel {:.2f} as in the "
          "paper; regularizer x {}",
          s.search.weight_rate, s.search.last_weight_rate, s.search.travel, s.search.strength),
      training_text(s),
      "held-out images train nothing; kept ops and edges at weight 1; batch-norm statistics as they are",
      "mean +- deviation (standard error) over the seeds; parameters of the CIFAR-10 network (C = 36, 20 "
      "cells)"};
}

void write_table(const std::filesystem::path& out, const std::string& stem,
                 const support::text_table& table) {
  support::write_file(out / (stem + ".md"), support::to_markdown(table));
  support::write_file(out / (stem + ".csv"), support::to_csv(table));
  support::write_file(out / (stem + ".json"), support::to_json(table).dump(2) + "\n");
  fmt::print("\n{}", support::to_plain(table));
}

std::filesystem::path cifar_folder(const std::string& data) {
  if (data.empty())
    throw support::usage_error("--data is needed: the folder of data_batch_1.bin, or one above it.");
  std::error_code code;
  for (const char* inner : {"cifar-10", "cifar-10-batches-bin"}) {
    const auto folder = std::filesystem::path(data) / inner;
    if (std::filesystem::is_directory(folder, code)) return folder;
  }
  return data;
}

// What the page of all that was asked for shows.
struct report_parts {
  std::vector<support::text_table> tables;
  std::vector<std::pair<std::string, std::string>> pictures;  // words, SVG
  std::vector<support::search_report> searches;
  std::set<const nlohmann::json*> cuts;  // of the ledger, that searches has: tables share some
};

void write_picture(const std::filesystem::path& out, report_parts& parts, const std::string& name,
                   const std::string& words, const std::string& svg) {
  support::write_file(out / name, svg);
  parts.pictures.emplace_back(words, svg);
}

// The search of an arm as its own report would show it, for one seed.
void add_search(report_parts& parts, const support::grid& grid, const support::setting& s, const arm& a,
                std::uint64_t seed) {
  const auto* line = a.random ? nullptr : grid.search_line(s, a.request, seed);
  const auto* cut = line == nullptr ? nullptr : support::cut_of(line->at("result"), a.kept);
  const auto found = support::genotype_text(cut);
  if (found.empty() || !parts.cuts.insert(cut).second) return;
  const auto& gap = cut->at("gap");
  support::search_report r;
  r.title = fmt::format("{}, {}/14, seed {}: {:.1f} -> {:.1f} %", a.name, a.kept, seed,
                        gap.at("before").get<double>(), gap.at("after").get<double>());
  r.scale = fmt::format("scale '{}': {}: {}", s.sizes.name, s.data,
                        support::scale_text(s.search, s.train.size(), s.held_out.size()));
  r.configuration = support::facts_of(line->at("configuration"));
  r.accuracies = support::gap_rows(gap);
  r.seconds = line->at("result").at("search_seconds").get<double>();
  r.history = support::history_of(support::grid::space_of(s, a.request), line->at("result"));
  r.found = cn::parse_genotype(found);
  parts.searches.push_back(std::move(r));
}

void write_figure_1(const std::filesystem::path& out, report_parts& parts, const support::grid& grid,
                    const support::setting& s, const product& p, seed_range seeds, const std::string& what) {
  std::vector<support::measured> all;
  for (const auto& a : p.arms) all.push_back(support::measure(grid, s, a, seeds));
  std::vector<support::node_cut> panels;
  for (std::size_t i = 0; i < p.arms.size(); ++i) {
    const auto& a = p.arms[i];
    const auto* search = grid.search(s, a.request, seeds.first);
    panels.push_back({fmt::format("{}: {}/14 keeps {}", a.name, a.kept, a.kept == 8 ? 2 : 1), search,
                      search == nullptr ? nullptr : support::cut_of(*search, a.kept), &all[i]});
  }
  write_picture(out, parts, "figure-1.svg", "Figure 1: a node cut two ways",
                support::figure_1(panels, fmt::format("{}; seed {} is drawn", what, seeds.first)));
}

// Returns how many seeds are drawn.
int write_figure(const std::filesystem::path& out, report_parts& parts, const support::grid& grid,
                 const support::setting& s, const product& p, std::uint64_t seed, const std::string& what) {
  const auto* search = grid.search(s, p.arms.front().request, seed);
  if (search == nullptr) return 0;
  const auto stem = fmt::format("figure-{}-seed-{}", p.number, seed);
  const auto title = fmt::format("{}, seed {}", what, seed);
  if (p.number == 3) {
    write_picture(out, parts, stem + ".svg", fmt::format("Figure 3: weights of the ops, seed {}", seed),
                  support::figure_3(*search, title));
    support::write_file(out / (stem + ".csv"), support::weights_csv(*search));
  } else if (p.number == 4) {
    write_picture(out, parts, stem + ".svg", fmt::format("Figure 4: weights of the edges, seed {}", seed),
                  support::figure_4(*search, title));
    support::write_file(out / (stem + ".csv"), support::weights_csv(*search));
  } else {
    const auto text = support::genotype_text(support::cut_of(*search, 8));
    if (text.empty()) return 0;
    const auto found = cn::parse_genotype(text);
    write_picture(out, parts, stem + "-normal.svg", fmt::format("Figure 6: normal cell, seed {}", seed),
                  cn::to_svg(found.normal, "normal cell, " + title));
    write_picture(out, parts, stem + "-reduction.svg", fmt::format("Figure 6: reduction cell, seed {}", seed),
                  cn::to_svg(found.reduction, "reduction cell, " + title));
    support::write_file(out / (stem + ".txt"), text + "\n");
  }
  return 1;
}

void show(const std::filesystem::path& out, report_parts& parts, const support::grid& grid,
          const support::setting& s, const product& p, seed_range seeds) {
  const auto conditions = conditions_of(s, seeds);
  if (p.what == kind::figure) {
    const std::string what = fmt::format("CIFAR-10, scale '{}', K = {}", s.sizes.name, s.search.partial);
    if (p.number == 1) {
      write_figure_1(out, parts, grid, s, p, seeds, what);
      fmt::print("\nFigure 1: figure-1.svg\n");
      return;
    }
    int drawn = 0;
    for (std::uint64_t i = 0; i < seeds.count; ++i)
      drawn += write_figure(out, parts, grid, s, p, seeds.first + i, "DA2S, 8/14, " + what);
    fmt::print("\nFigure {}: {}\n", p.number,
               drawn == 0
                   ? "not run"
                   : fmt::format("figure-{}-seed-*.svg, {} of {} seeds", p.number, drawn, seeds.count));
    return;
  }
  std::vector<support::measured> all;
  for (const auto& a : p.arms) {
    all.push_back(support::measure(grid, s, a, seeds));
    add_search(parts, grid, s, a, seeds.first);
  }
  auto page = page_of(p, all);
  if (p.what == kind::table && p.number == 5 && !s.transfer) {
    page.below.push_back(
        "errors are not run: no photographs. Name ImageNet's folder, which holds train and val with one "
        "folder for each "
        "class: tables --table 5 --scale paper --data DIR --imagenet DIR --device cuda");
  }
  page.above.insert(page.above.begin(), conditions.begin(), conditions.end());
  const auto name = p.what == kind::curve ? std::string("curve-lambda") : fmt::format("table-{}", p.number);
  auto statistics = support::statistics_table(
      p.what == kind::curve ? "Curve: statistics over the seeds"
                            : fmt::format("Table {}: statistics over the seeds", p.number),
      all);
  page.data = statistics.data;
  write_table(out, name, page);
  write_table(out, name + "-statistics", statistics);
  parts.tables.insert(parts.tables.end(), {page, statistics});
  if (p.what == kind::curve) {
    write_picture(
        out, parts, "curve-lambda.svg", "Accuracy over the strength of the regularizer",
        support::lambda_chart(support::lambdas, all, fmt::format("8/14, scale '{}'", s.sizes.name)));
  }
}

void run(const table_flags& flags) {
  const auto products = products_of(flags);
  if (products.empty()) {
    throw support::usage_error(
        "nothing is asked for. Name --table 1, 2, 3, 4 or 5, --figure 1, 3, 4, 5 or 6, or --curve lambda.");
  }
  support::check_output_folder(flags.out);
  const std::filesystem::path out = flags.out;
  const auto device = support::parse_device(flags.device);
  const auto document = support::scale_document(flags.scale);
  const seed_range seeds{static_cast<std::uint64_t>(flags.first_seed),
                         static_cast<std::uint64_t>(flags.seeds)};

  std::map<int, support::table_scale> sizes;  // of the tables whose scale is used
  bool needs_images = false;
  for (const auto& p : products) {
    sizes.emplace(p.scale_table, support::scale_of_table(document, p.scale_table));
    needs_images = needs_images || !p.arms.empty();
  }
  report_parts parts;
  for (const auto& p : products) {
    if (p.what != kind::figure || p.number != 5) continue;
    constexpr int epochs = 50;  // the paper's
    write_picture(out, parts, "figure-5.svg", "Figure 5: the regularization control functions",
                  support::figure_5(epochs));
    support::write_file(out / "figure-5.csv", support::figure_5_csv(epochs));
    fmt::print("Figure 5: figure-5.svg, figure-5.csv\n");
  }
  const auto write_report = [&] {
    const auto file = out / "report.html";
    support::write_file(
        file, support::tables_page("Tables and figures, measured",
                                   fmt::format("scale '{}', {} seed{} from {}", document.value("name", ""),
                                               seeds.count, seeds.count == 1 ? "" : "s", seeds.first),
                                   parts.tables, parts.pictures, parts.searches, support::facts_of(document),
                                   flags.command));
    fmt::print("Report: {}\n", std::filesystem::absolute(file).lexically_normal().string());
  };
  if (!needs_images) return write_report();

  const auto images =
      support::or_usage_error([&] { return support::load_cifar10(cifar_folder(flags.data)); });
  std::map<int, support::setting> settings;
  for (const auto& [table, of_table] : sizes) {
    settings.emplace(table, support::or_usage_error([&, table_number = table, &of = of_table] {
                       auto s = support::make_setting(of, "CIFAR-10", images, device);
                       support::check_run(support::darts_method("da2s", 8, of.partial), s.search, s.train);
                       if (table_number == 5 && !flags.imagenet.empty()) {
                         s.transfer = support::load_photographs(flags.imagenet);
                       }
                       if (s.transfer || of.retrain == "derived") {  // found out now, not after the searches
                         auto training = support::training_of(s, cn::known::darts_v2, 0);
                         cn::any_derived_network net(training.cell, training.network);
                         cn::trainer(net, training.options);
                       }
                       return s;
                     }));
  }
  support::ledger done(out / "ledger.jsonl",
                       flags.report ? support::ledger_mode::read : support::ledger_mode::append);
  if (!done.torn().empty()) fmt::print(stderr, "{}\n", done.torn());
  support::write_file(out / "scale.json", document.dump(2) + "\n");
  const bool cuda = device.is_cuda();
  const int workers = flags.workers > 0 ? flags.workers : cuda ? 1 : support::default_workers();
  const support::stop_signals signals;
  support::grid grid(
      done, signals,
      {device,
       cuda ? support::gpu_name(device.has_index() ? device.index() : 0)
            : fmt::format("{}, one thread a run, {} side by side", support::cpu_name(), workers),
       workers, flags.quiet, out / "unfinished"});

  if (!flags.report) {
    for (const auto& p : products) support::plan_searches(grid, settings.at(p.scale_table), p.arms, seeds);
    fmt::print("ledger {}: {} lines; {} searches to run\n", done.path().string(), done.size(),
               grid.planned());
    std::fflush(stdout);
    grid.run("searching");
    for (const auto& p : products) support::plan_retrainings(grid, settings.at(p.scale_table), p.arms, seeds);
    fmt::print("{} cells to train from scratch\n", grid.planned());
    std::fflush(stdout);
    grid.run("training from scratch");
    for (const auto& [table, s] : settings) {
      if (!s.transfer) continue;
      for (const auto& [file, why] : s.transfer->unreadable->files())
        fmt::print(stderr, "left out: {}: {}\n", file, why);
    }
  }
  for (const auto& p : products) {
    if (!p.arms.empty()) show(out, parts, grid, settings.at(p.scale_table), p, seeds);
  }
  fmt::print("\nTables as Markdown, CSV and JSON, figures as SVG, and the ledger: {}\n",
             std::filesystem::absolute(out).lexically_normal().string());
  write_report();
}

}  // namespace

int main(int argc, char** argv) {
  table_flags flags;
  flags.command = support::command_text(argc, argv);
  CLI::App app{"The paper's tables and figures, measured. Runs what is missing and goes on where it was."};
  app.option_defaults()->always_capture_default();
  app.add_option("--table", flags.tables, "tables of the paper")
      ->delimiter(',')
      ->check(support::one_of({"1", "2", "3", "4", "5"}));
  app.add_option("--figure", flags.figures, "figures of the paper; 2 is a drawing of the idea")
      ->delimiter(',')
      ->check(support::one_of({"1", "3", "4", "5", "6"}));
  app.add_option("--curve", flags.curves,
                 "beyond the paper: accuracy and gap over the strength of the regularizer")
      ->check(support::one_of({"lambda"}));
  app.add_option("--scale", flags.scale, "paper, cpu, or a JSON file that says what differs from cpu");
  app.add_option("--data", flags.data, "folder of CIFAR-10 (binary version), or one above it");
  app.add_option("--imagenet", flags.imagenet,
                 "folder of ImageNet for table 5: train and val in it, with one folder for each class");
  app.add_option("--seeds", flags.seeds, "how many seeds")->check(support::between(1, 1000));
  app.add_option("--first-seed", flags.first_seed, "the first seed")->check(support::between(0, 1000000));
  app.add_option("--out", flags.out, "folder for ledger, tables and figures");
  app.add_option("--device", flags.device, "cpu, cuda or cuda:N");
  app.add_option("--workers", flags.workers,
                 "experiments side by side; 0: one for each core, or one on a GPU")
      ->check(support::between(0, 256));
  app.add_flag("--report", flags.report, "run nothing; print what the ledger has");
  app.add_flag("--quiet", flags.quiet, "no progress");
  app.footer(
      "Exit codes: 0 done; 1 failed; 2 called in a way that cannot work; 128 + N stopped by signal N after "
      "finishing the steps\n"
      "under way and saving (143 SIGTERM, 130 SIGINT, 138 SIGUSR1, 129 SIGHUP): the same command goes on. A "
      "second signal ends at "
      "once.");
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("tables", [&] { run(flags); });
}
