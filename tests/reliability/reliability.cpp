// Long tests of what a run survives: kill -9 at any instant, a full disk, 10,000 steps.
//
//   reliability kill search|train N [seed]   N runs, each killed at random instants and gone on from until it ends
//   reliability disk                         a file system that fills up
//   reliability soak STEPS                   memory, descriptors, threads
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/search/configuration_text.hpp>
#include <crispnas/search/searcher.hpp>
#include <crispnas/train/trainer.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace cn = crispnas;
namespace fs = std::filesystem;

namespace {

using space = cn::spec<cn::nas_bench_201_cell, cn::partial_channels<1>, cn::keep_all>;

cn::labelled_images images(std::int64_t n) {
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor labels = at::arange(n, at::kLong) % 2;
  const at::Tensor noise = at::randint(0, 100, {n, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kLong));
  return {(noise + labels.view({n, 1, 1, 1}) * 120).to(at::kByte), labels, 2};
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void append(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::app);
  if (!(file << text << std::flush)) throw cn::error("'" + path.string() + "' cannot be written.");
}

std::string row(const std::vector<double>& values) {
  std::string text;
  for (const double v : values) {
    char number[40];
    std::snprintf(number, sizeof number, "%a,", v);
    text += number;
  }
  return text + "\n";
}

/// Everything that a run is at its end, wall time apart.
void write_end(const fs::path& folder, const cn::named_state& state) {
  auto values = state.values();
  std::erase_if(values, [](const auto& v) { return v.first == "totals.seconds"; });
  cn::write_safetensors(folder / "end.safetensors", values);
}

/// A run, or the rest of one, that saves itself every `every` steps, and at the end of every epoch.
void run_search(const fs::path& folder, int every, int epochs = 4) {
  at::manual_seed(1);  // otherwise LibTorch takes another one in each process
  cn::checkpoints* saved = nullptr;
  cn::searcher* running = nullptr;
  int steps = 0;
  cn::search_options o;
  o.epochs = epochs;
  o.batch_size = 4;
  o.alpha_rate = o.beta_rate = 0.05;
  o.alpha_warmup = 0.25;
  o.on_step = [&](const cn::step_progress&) {
    if (++steps % every == 0) saved->save(running->state(), running->position_text());
  };
  cn::supernet<space> net({.channels = 4, .cells = 1, .classes = 2, .seed = 1});
  cn::searcher search(net, o);
  running = &search;
  cn::checkpoints all(folder, {.configuration = cn::configuration_text(search), .outputs = {"metrics.csv"}});
  saved = &all;
  if (!all.load(search.state())) std::ofstream(folder / "metrics.csv", std::ios::trunc).flush();
  for (const auto& r : search.run(images(24))) {
    std::vector<double> values{double(r.epoch),  r.weight_rate, r.train_loss,
                               r.train_accuracy, r.arch_loss,   at::rand({1}).item<double>()};
    for (const auto& t : r.terms) values.insert(values.end(), {t.value, t.factor});
    append(folder / "metrics.csv", row(values));
    all.save(search.state(), search.position_text());
  }
  write_end(folder, search.state());
}

void run_training(const fs::path& folder, int every) {
  at::manual_seed(1);
  cn::checkpoints* saved = nullptr;
  cn::trainer* running = nullptr;
  int steps = 0;
  cn::train_options o;
  o.epochs = 4;
  o.batch_size = 4;
  o.on_step = [&](const cn::step_progress&) {
    if (++steps % every == 0) saved->save(running->state(), running->position_text());
  };
  cn::any_derived_network net(
      cn::parse_genotype("Genotype(normal=[0->2 sep_conv_3x3, 1->2 skip_connect], normal_concat=[2])"),
      {.channels = 4, .cells = 3, .classes = 2});
  cn::trainer training(net, o);
  running = &training;
  cn::checkpoints all(folder, {.configuration = {{"epochs", "4"}}, .outputs = {"metrics.csv"}});
  saved = &all;
  if (!all.load(training.state())) std::ofstream(folder / "metrics.csv", std::ios::trunc).flush();
  for (const auto& r : training.run(images(14))) {
    append(folder / "metrics.csv", row({double(r.epoch), r.rate, r.loss, r.accuracy, double(r.images),
                                        at::rand({1}).item<double>()}));
    all.save(training.state(), training.position_text());
  }
  write_end(folder, training.state());
}

/// A process of its own; LibTorch's threads begin in it. Returns its number.
template <class Body>
pid_t start(Body&& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 0;
  try {
    body();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);
}

/// Waits at most so long; true where the process has ended, its status in `status`.
bool ended_within(pid_t child, std::chrono::microseconds limit, int& status) {
  const auto until = std::chrono::steady_clock::now() + limit;
  do {
    if (::waitpid(child, &status, WNOHANG) == child) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

int kill_and_go_on(const std::string& what, int count, unsigned seed) {
  const fs::path root = fs::temp_directory_path() / ("crispnas-kill-" + std::to_string(::getpid()));
  const auto body = [&](const fs::path& folder, int every) {
    what == "search" ? run_search(folder, every) : run_training(folder, every);
  };
  const auto fresh = [&](const std::string& name) {
    fs::create_directories(root / name);
    return root / name;
  };
  int status = 0;
  const auto whole = fresh("whole");
  const auto started = std::chrono::steady_clock::now();
  ::waitpid(start([&] { body(whole, 1); }), &status, 0);
  const auto length = std::chrono::steady_clock::now() - started;
  if (status != 0) return 1;
  const std::string end = bytes_of(whole / "end.safetensors");
  const std::string metrics = bytes_of(whole / "metrics.csv");
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> instant(0.0, 0.9);
  int equal = 0;
  int kills = 0;
  int before_first = 0;
  for (int i = 0; i < count; ++i) {
    const auto folder = fresh("run");
    const int every = 1 + i % 2;
    for (int killed = 0;; ++killed) {
      const pid_t child = start([&] { body(folder, every); });
      // At most four times a run, so that it ends.
      const auto limit = killed < 4
                             ? std::chrono::duration_cast<std::chrono::microseconds>(length * instant(random))
                             : std::chrono::microseconds(std::chrono::minutes(5));
      if (ended_within(child, limit, status)) break;
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      ++kills;
      before_first +=
          fs::exists(folder / "checkpoints" / "ckpt-000001") || fs::exists(folder / "checkpoints" / "LATEST")
              ? 0
              : 1;
    }
    const bool same = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                      bytes_of(folder / "end.safetensors") == end &&
                      bytes_of(folder / "metrics.csv") == metrics;
    equal += same ? 1 : 0;
    if (!same) {
      std::printf("run %d differs; it is left in %s\n", i, (root / ("differs-" + std::to_string(i))).c_str());
      fs::rename(folder, root / ("differs-" + std::to_string(i)));
    }
    fs::remove_all(folder);
  }
  std::printf("%s: %d of %d runs end bit-equal after %d kills (%d of them before the first checkpoint)\n",
              what.c_str(), equal, count, kills, before_first);
  if (equal == count) fs::remove_all(root);
  return equal == count && kills > 0 ? 0 : 1;
}

/// Room that is not what statvfs says, as with a quota: the failure comes in the middle.
struct hopeful_calls final : cn::file_calls {
  int free_bytes(const char* path, std::uint64_t& bytes) override {
    const int result = file_calls::free_bytes(path, bytes);
    if (hopeful) bytes = ~std::uint64_t{0};
    return result;
  }
  bool hopeful = false;
};

int full_disk() {
  const fs::path root = fs::temp_directory_path() / ("crispnas-disk-" + std::to_string(::getpid()));
  fs::create_directories(root);
  int failed = 0;
  int ran_out = 0;
  int cases = 0;
  bool mounted = true;
  cn::supernet<space> net({.channels = 4, .cells = 1, .classes = 2, .seed = 1});
  cn::searcher search(net, {});
  std::uint64_t bytes = 0;
  for (const auto& [name, values] : search.state().values()) bytes += values.nbytes();
  std::printf("a state of %s\n", cn::bytes_text(bytes).c_str());
  for (int size = 1; size <= 16; ++size) {
    for (const bool hopeful : {false, true}) {
      ++cases;
      const std::string options = "size=" + std::to_string(bytes * 2 / 3 * std::uint64_t(size) / 4 + 65536);
      mounted = mounted && ::mount("tmpfs", root.c_str(), "tmpfs", 0, options.c_str()) == 0;
      rlimit old_limit{};
      ::getrlimit(RLIMIT_FSIZE, &old_limit);
      if (!mounted) {  // without privileges: files that may not grow
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes * std::uint64_t(size) / 17, old_limit.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
      }
      const auto folder = root / "run";
      fs::create_directories(folder);
      hopeful_calls calls;
      calls.hopeful = hopeful;
      std::string message;
      int saved = 0;
      try {
        cn::checkpoints all(folder, {.configuration = {{"a", "b"}}, .calls = &calls});
        all.load(search.state());
        while (saved < 5) {
          all.save(search.state(), std::to_string(saved + 1));
          ++saved;
          if (saved >= 2 && mounted) append(root / "filler", std::string(bytes / 3, 'x'));
        }
      } catch (const cn::error& e) {
        message = e.what();
      }
      if (!mounted) ::setrlimit(RLIMIT_FSIZE, &old_limit);
      // The room that was taken is given back, and the run goes on from the last generation that was saved.
      fs::remove(root / "filler");
      bool good = true;
      {
        cn::checkpoints all(folder, {.configuration = {{"a", "b"}}});
        const auto position = all.load(search.state());
        good = saved == 0 ? !position : position == std::to_string(saved);
      }
      if (saved < 5 && message.find("filler") == std::string::npos) {
        ++ran_out;
        for (const char* part : {"needs ", "free there"})
          good = good && message.find(part) != std::string::npos;
        good = good && message.find(folder.string()) != std::string::npos;
      }
      if (!good) {
        ++failed;
        std::printf("size %d, %s: %d saved; %s\n", size, hopeful ? "told while writing" : "told before",
                    saved, message.c_str());
      } else if (size == 4) {
        std::printf("%s\n", message.c_str());
      }
      if (mounted) {
        ::umount2(root.c_str(), MNT_DETACH);
      } else {
        fs::remove_all(folder);
      }
    }
  }
  fs::remove_all(root);
  std::printf("%s: %d of %d cases hold; in %d of them a save had no room\n",
              mounted ? "tmpfs" : "RLIMIT_FSIZE (a tmpfs cannot be mounted)", cases - failed, cases, ran_out);
  return failed == 0 && ran_out > 0 ? 0 : 1;
}

std::size_t entries(const char* folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

int soak(int steps) {
  const fs::path folder = fs::temp_directory_path() / ("crispnas-soak-" + std::to_string(::getpid()));
  cn::checkpoints* saved = nullptr;
  cn::searcher* running = nullptr;
  std::vector<std::pair<int, std::uint64_t>> memory;
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  int done = 0;
  int failures = 0;
  cn::search_options o;
  o.batch_size = 4;
  o.epochs = steps / 10;
  o.on_step = [&](const cn::step_progress&) {
    ++done;
    if (done % 20 == 0) saved->save(running->state(), running->position_text());
    if (done % 1000 != 0) return;
    memory.emplace_back(done, cn::memory_in_use::of_process().now);
    std::printf("step %d: %s resident, %zu descriptors, %zu threads\n", done,
                cn::bytes_text(memory.back().second).c_str(), entries("/proc/self/fd"),
                entries("/proc/self/task"));
    std::fflush(stdout);
    if (done == 1000) {
      descriptors = entries("/proc/self/fd");
      threads = entries("/proc/self/task");
    }
    failures += entries("/proc/self/fd") > descriptors || entries("/proc/self/task") > threads ? 1 : 0;
  };
  {
    cn::supernet<space> net({.channels = 4, .cells = 1, .classes = 2, .seed = 1});
    cn::searcher search(net, o);
    running = &search;
    cn::checkpoints all(folder, {.configuration = cn::configuration_text(search)});
    saved = &all;
    all.load(search.state());
    for (const auto& epoch : search.run(images(80))) failures += std::isfinite(epoch.train_loss) ? 0 : 1;
  }
  fs::remove_all(folder);
  if (memory.size() < 3) return 1;
  const double grown = double(memory.back().second) - double(memory[1].second);
  const double each = grown / double(memory.back().first - memory[1].first) * 1000.0 / (1 << 20);
  std::printf("%d steps: memory grows by %.3f MiB per 1,000 steps after the first 2,000; %d other failures\n",
              done, each, failures);
  return failures == 0 && each < 1.0 && done == steps / 10 * 10 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() >= 3 && words[0] == "kill") {
      return kill_and_go_on(words[1], std::stoi(words[2]),
                            words.size() > 3 ? static_cast<unsigned>(std::stoul(words[3])) : 1);
    }
    if (words.size() == 1 && words[0] == "disk") return full_disk();
    if (words.size() == 2 && words[0] == "soak") return soak(std::stoi(words[1]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  std::fprintf(stderr, "reliability kill search|train N [seed] | disk | soak STEPS\n");
  return 2;
}
