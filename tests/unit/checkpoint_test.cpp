// Checkpoints of a small state: what comes back, what is refused, and what a save leaves when any of its calls fails.
#include <algorithm>
#include <cerrno>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/io/random_state.hpp>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "failing_files.hpp"
#include "files.hpp"
#include "support.hpp"

namespace checkpoint_test {

namespace cn = crispnas;
using tests::fault;
using tests::message_of;

namespace {

/// A run of a few numbers; `generation` says how far it has come.
struct small_run {
  at::Tensor weights = at::zeros({3, 4});
  at::Tensor statistics = at::zeros({5}, at::kDouble);
  std::int64_t step = 0;
  double sum = 0.0;
  std::vector<double> curve;
  std::vector<std::int64_t> passed;
  std::string names;

  void advance(int to) {
    weights.fill_(to + 0.1);
    statistics.fill_(1.0 / to);
    step = to;
    sum = to / 3.0;
    curve.assign(static_cast<std::size_t>(to), to / 7.0);
    passed.assign(1, to);
    names.assign(static_cast<std::size_t>(to), 'x');
  }
  cn::named_state state() {
    cn::named_state all;
    all.add("weights", weights);
    all.add("statistics", statistics);
    all.add("step", step);
    all.add("sum", sum);
    all.add("curve", curve);
    all.add("passed", passed);
    all.add("names", names);
    all.add("random", cn::random_state(at::kCPU));
    return all;
  }
  bool is_at(int to) const {
    return step == to && at::equal(weights, at::full({3, 4}, to + 0.1)) && sum == to / 3.0 &&
           curve == std::vector<double>(static_cast<std::size_t>(to), to / 7.0) &&
           names.size() == static_cast<std::size_t>(to);
  }
};
static_assert(cn::has_state<small_run>, "tests: a run of numbers can be checkpointed.");

struct quiet_log {
  std::string lines;
  cn::checkpoint_options options(cn::text_pairs configuration = {{"epochs", "50"}}) {
    return {.configuration = std::move(configuration),
            .outputs = {"metrics.csv"},
            .log = [this](const std::string& l) { lines += l + "\n"; }};
  }
};

void append(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary | std::ios::app) << text;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void flip(const std::filesystem::path& path, std::size_t byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(byte));
  const char c = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(byte)).put(c);
}

}  // namespace

TEST_CASE("a state comes back bit for bit, random generators included") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  run.advance(1);
  run.sum = std::nan("");
  at::Tensor draw;
  {
    cn::checkpoints saved(folder.path(), log.options());
    CHECK(!saved.exist());
    CHECK(!saved.load(run.state()));
    saved.save(run.state(), "step 1");
    draw = at::rand({4});
    CHECK(saved.exist());
  }
  small_run other;
  cn::checkpoints saved(folder.path(), log.options());
  at::rand({7});
  CHECK(saved.load(other.state()) == "step 1");
  CHECK(at::equal(at::rand({4}), draw));
  CHECK(std::isnan(other.sum));
  CHECK(at::equal(other.weights, run.weights));
  CHECK(at::equal(other.statistics, run.statistics));
  CHECK(other.curve == run.curve);
  CHECK(other.passed == run.passed);
  CHECK(other.names == run.names);
  CHECK(log.lines.empty());
}

TEST_CASE("values of a state are copies, and a state is put back whole or not at all") {
  small_run run;
  run.advance(2);
  const auto values = run.state().values();
  run.advance(3);
  run.state().restore(values);
  run.names = "xx";
  CHECK(run.is_at(2));
  auto broken = values;
  broken[0].second = at::zeros({4, 3});
  broken[1].second = at::zeros({5});
  broken[4].second = at::zeros({1, 1}, at::kDouble);
  broken[2].first = "stop";
  broken.push_back(values[3]);
  run.advance(3);
  const auto message = message_of([&] { run.state().restore(broken); });
  for (const char* part : {"weights has shape [4, 3] instead of [3, 4]",
                           "statistics is Float instead of Double", "curve has shape [1, 1] instead of [3]",
                           "step is missing", "stop is not of this run", "sum is there twice"})
    CHECK_SAYS(message, part);
  CHECK(run.is_at(3));
  CHECK_SAYS(message_of([&] {
               cn::named_state twice;
               twice.add("a", run.step);
               twice.add("a", run.sum);
             }),
             "'a' is there twice");
}

TEST_CASE("two generations are kept, damaged ones are passed over and told") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  const auto name = [&](int n) {
    return folder.path() / "checkpoints" / cn::generation_name(std::uint64_t(n));
  };
  const auto state = [&](int n) { return name(n) / "state.safetensors"; };
  {
    cn::checkpoints saved(folder.path(), log.options());
    for (int to = 1; to <= 4; ++to) {
      run.advance(to);
      append(folder.path() / "metrics.csv", "row\n");
      saved.save(run.state(), "step " + std::to_string(to));
    }
  }
  CHECK(!std::filesystem::exists(name(2)));
  CHECK(std::filesystem::exists(name(3)));
  CHECK(bytes_of(folder.path() / "checkpoints" / "LATEST") == "ckpt-000004\n");
  append(folder.path() / "metrics.csv", "a row that was not yet checkpointed\n");
  flip(state(4), 100);
  {
    small_run other;
    cn::checkpoints saved(folder.path(), log.options());
    CHECK(saved.load(other.state()) == "step 3");
    CHECK(other.is_at(3));
    CHECK_SAYS(log.lines, "ckpt-000004' does not hold: its file 'state.safetensors' is damaged");
    CHECK(bytes_of(folder.path() / "metrics.csv") == "row\nrow\nrow\n");
    other.advance(4);
    saved.save(other.state(), "step 4 again");
  }
  CHECK(std::filesystem::exists(name(3)));  // the one that holds is kept, not the damaged one
  CHECK(!std::filesystem::exists(name(4)));
  CHECK(std::filesystem::exists(name(5)));

  flip(state(3), 100);
  std::filesystem::remove(name(5) / "MANIFEST.json");
  small_run other;
  cn::checkpoints saved(folder.path(), log.options());
  const auto message = message_of([&] { saved.load(other.state()); });
  CHECK_SAYS(message, "has checkpoints, but none holds");
  CHECK_SAYS(message, "ckpt-000005' does not hold: its manifest cannot be opened");
  CHECK_SAYS(message, "ckpt-000003' does not hold: its file");
  CHECK(other.step == 0);
  CHECK_SAYS(message_of([&] { saved.save(other.state(), ""); }),
             "has the checkpoints of another run. Load them first");
  CHECK(saved.exist());
  saved.remove_all();
  CHECK(!saved.exist());
}

TEST_CASE("another configuration, another run, cut outputs: refused, and nothing has changed") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  run.advance(1);
  append(folder.path() / "metrics.csv", "row\n");
  {
    cn::checkpoints saved(folder.path(), log.options({{"epochs", "50"}, {"seed", "1"}, {"old", "x"}}));
    saved.save(run.state(), "step 1");
  }
  small_run other;
  {
    cn::checkpoints saved(folder.path(), log.options({{"epochs", "60"}, {"seed", "1"}, {"new", "y"}}));
    CHECK_SAYS(message_of([&] { saved.load(other.state()); }),
               "is of another configuration:\n  epochs: 50 there, 60 here\n  old: x there, absent here\n  "
               "new: absent "
               "there, y here\nGo on with the same configuration");
  }
  cn::checkpoints saved(folder.path(), log.options({{"epochs", "50"}, {"seed", "1"}, {"old", "x"}}));
  CHECK_SAYS(message_of([&] { cn::checkpoints(folder.path(), log.options()); }), "is in use: another run");
  cn::named_state part;
  part.add("weights", other.weights);
  CHECK_SAYS(message_of([&] { saved.load(part); }), "ckpt-000001': the saved state does not fit this run: ");
  std::filesystem::resize_file(folder.path() / "metrics.csv", 3);
  CHECK_SAYS(message_of([&] { saved.load(other.state()); }),
             "metrics.csv' has 3 bytes, but had 4 when it was made");
  // A link could lead to anything that this user may write.
  const auto elsewhere = folder.write("elsewhere", "not to be cut");
  std::filesystem::remove(folder.path() / "metrics.csv");
  std::filesystem::create_symlink(elsewhere, folder.path() / "metrics.csv");
  CHECK_SAYS(message_of([&] { saved.load(other.state()); }), "metrics.csv' is a symbolic link");
  CHECK(bytes_of(elsewhere) == "not to be cut");
  CHECK(other.step == 0);
  CHECK_SAYS(message_of([&] { cn::checkpoints("/proc/none"); }), "cannot be made");
}

TEST_CASE("a failure at each call of a save: the old or the new generation loads") {
  // The folder that each case begins with: none, or generations 1 and 2.
  for (const int before : {0, 2}) {
    int cases = 0;
    int refused = 0;
    std::set<std::string> calls_without_room;
    for (const bool power : {false, true}) {
      for (const auto what : {fault::io_error, fault::no_space, fault::interrupted, fault::short_count,
                              fault::exit_before, fault::exit_after}) {
        const bool ends = what == fault::exit_before || what == fault::exit_after;
        if (power && !ends) continue;
        for (int number = 1;; ++number) {
          const tests::temporary_folder folder;
          quiet_log log;
          small_run run;
          tests::failing_files none(0, fault::none);  // calls that do not wait for the disk
          const auto fast = [&] {
            auto options = log.options();
            options.calls = &none;
            return options;
          };
          const auto metrics = folder.path() / "metrics.csv";
          {
            cn::checkpoints saved(folder.path(), fast());
            for (int to = 1; to <= before; ++to) {
              run.advance(to);
              append(metrics, "row\n");
              saved.save(run.state(), "");
            }
          }
          tests::failing_files calls(number, what);
          std::string message;
          {
            auto options = log.options();
            options.calls = &calls;
            message = message_of([&] {
              cn::checkpoints saved(folder.path(), std::move(options));
              saved.load(run.state());
              run.advance(before + 1);
              append(metrics, "row\n");
              saved.save(run.state(), "");
            });
          }
          if (power && calls.ended()) calls.lose_power();
          const std::string at = calls.name_of_call() + ", call " + std::to_string(number);
          CAPTURE(at);
          CAPTURE(message);
          CAPTURE(int(what));
          CAPTURE(power);
          small_run after;
          {
            cn::checkpoints saved(folder.path(), fast());
            REQUIRE(message_of([&] { saved.load(after.state()); }).empty());
            const bool is_new = after.is_at(before + 1);
            CHECK((is_new || after.is_at(before) || (before == 0 && after.step == 0)));
            if (message.empty()) CHECK(is_new);
            if (!message.empty()) ++refused;
            // And it goes on from there.
            const int now = int(after.step);
            after.advance(now + 1);
            saved.save(after.state(), "");
            const auto there = std::distance(std::filesystem::directory_iterator(saved.folder()), {});
            CHECK(there ==
                  std::min(now + 1, 2) + 2);  // generations, LATEST, the lock; nothing that saves left behind
          }
          // What a signal may interrupt is called again.
          if (what == fault::interrupted && !at.starts_with("rename") && !at.starts_with("mkdir")) {
            CHECK(message.empty());
          }
          if (what == fault::short_count) CHECK(message.empty());
          // No room for what a save has to write; the others only read, or give room back.
          if (what == fault::no_space && !message.empty() && !at.starts_with("flock") &&
              !at.starts_with("truncate")) {
            CHECK_SAYS(message, folder.path().string());
            CHECK_SAYS(message, "No space left on device)");
            CHECK_SAYS(message, ". It needs ");
            CHECK_SAYS(message, "; free there: ");
            calls_without_room.insert(calls.name_of_call());
          }
          if (!calls.met()) {
            CHECK(message.empty());
            break;
          }
          ++cases;
        }
      }
    }
    MESSAGE(cases << " cases, " << refused << " of them saves that told of a failure");
    CHECK(cases > 200);
    std::set<std::string> expected{"open", "read", "write", "fsync", "close", "mkdir", "rename"};
    CHECK(calls_without_room == expected);
  }
}

TEST_CASE("the state of a GPU's generator has a name beside the CPU's") {
  const auto entries = cn::random_state({at::kCUDA, 0}).entries();
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].name == "cpu");
  CHECK(entries[1].name == "cuda");
  CHECK(cn::random_state(at::kCPU).entries().size() == 1);
}

TEST_CASE("another device, library or number of threads is told, and another program's checkpoint refused") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  run.advance(1);
  {
    auto options = log.options();
    options.device = "a GPU\x1b";
    cn::checkpoints saved(folder.path(), std::move(options));
    saved.save(run.state(), "step 1");
  }
  {
    cn::checkpoints saved(folder.path(), log.options());
    CHECK(saved.load(run.state()) == "step 1");
    CHECK_SAYS(
        log.lines,
        "ckpt-000001' was made with device a GPU\\x1b, not cpu: results may differ in their last bits.");
    CHECK(!tests::contains(log.lines, "with LibTorch"));
    CHECK(!tests::contains(log.lines, "with crispnas"));
    CHECK(!tests::contains(log.lines, "threads"));
  }
  {
    auto elsewhere = cn::generations(folder.path() / "checkpoints").checked(1);
    elsewhere.generation = 2;
    elsewhere.libtorch = "1.0";
    elsewhere.library = "0.0.9";
    elsewhere.threads += 1;
    const auto from = folder.path() / "checkpoints" / cn::generation_name(1) / "state.safetensors";
    cn::generations(folder.path() / "checkpoints").write(elsewhere, 0, [&](const std::filesystem::path& to) {
      std::filesystem::copy(from, to / "state.safetensors");
      return elsewhere.files;
    });
    cn::checkpoints saved(folder.path(), log.options());
    log.lines.clear();
    CHECK(saved.load(run.state()) == "step 1");
    CHECK_SAYS(log.lines, std::string("ckpt-000002' was made with LibTorch 1.0, not ") + TORCH_VERSION);
    CHECK_SAYS(log.lines, "' was made with crispnas 0.0.9, not 0.1.0: ");
    CHECK_SAYS(log.lines, "' was made with a number of threads of ");
  }
  cn::checkpoint_manifest other;
  other.generation = 3;
  other.configuration = {{"epochs", "50"}};
  cn::generations(folder.path() / "checkpoints").write(other, 0, [](const std::filesystem::path&) {
    return std::vector<cn::checkpoint_manifest::file>{};
  });
  cn::checkpoints saved(folder.path(), log.options());
  CHECK_SAYS(message_of([&] { saved.load(run.state()); }),
             "ckpt-000003': its manifest names no state.safetensors. It is of another program.");
}

TEST_CASE("a folder that does not reach the disk, and an output that vanishes while it is saved") {
  class odd_disk final : public cn::file_calls {
   public:
    explicit odd_disk(std::filesystem::path folder) : folder_(std::move(folder)) {}
    int open(const char* path, int flags, unsigned mode) override {
      opens_folder_ = folder_ == path;
      return file_calls::open(path, flags, mode);
    }
    int fsync(int file) override {
      if (opens_folder_) {
        errno = EIO;
        return -1;
      }
      std::filesystem::remove(folder_ / "metrics.csv");
      return file_calls::fsync(file);
    }

   private:
    std::filesystem::path folder_;
    bool opens_folder_ = false;
  };
  const tests::temporary_folder folder;
  quiet_log log;
  odd_disk disk(folder.path());
  auto options = log.options();
  options.calls = &disk;
  CHECK_SAYS(message_of([&] { cn::checkpoints(folder.path(), options); }),
             folder.path().string() + "' did not reach the disk (Input/output error).");
  append(folder.path() / "metrics.csv", "row\n");
  small_run run;
  cn::checkpoints saved(folder.path(), options);  // its folder is there now
  CHECK_SAYS(message_of([&] { saved.save(run.state(), ""); }),
             "metrics.csv' cannot be examined: No such file or directory.");
  CHECK(!saved.exist());
}

TEST_CASE("how many generations are kept, what cannot be removed, and what is left by a run that has ended") {
  class stubborn_disk final : public cn::file_calls {
   public:
    int rename(const char* from, const char* to) override {
      const std::string target = to;
      if (target.ends_with("LATEST") || tests::contains(target, ".tmp-old-")) {
        errno = EIO;
        return -1;
      }
      return file_calls::rename(from, to);
    }
  } disk;
  for (const std::size_t keep : {0U, 1U, 3U}) {
    const tests::temporary_folder folder;
    quiet_log log;
    small_run run;
    auto options = log.options();
    options.keep = keep;
    cn::checkpoints saved(folder.path(), options);
    for (int to = 1; to <= 5; ++to) saved.save(run.state(), "");
    CHECK(log.lines.empty());
    CHECK(cn::generations(saved.folder()).numbers().size() == std::max<std::size_t>(keep, 1));
    CHECK(std::filesystem::exists(saved.folder() / "LATEST"));
    saved.remove_all();
    CHECK(!saved.exist());
    CHECK(!std::filesystem::exists(saved.folder() / "LATEST"));
    saved.remove_all();
    CHECK(log.lines.empty());  // what is not there need not be removed
  }
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  auto options = log.options();
  options.keep = 1;
  options.calls = &disk;
  cn::checkpoints saved(folder.path(), options);
  saved.save(run.state(), "");
  CHECK_SAYS(log.lines, "LATEST' cannot be written: renaming failed (Input/output error).");
  log.lines.clear();
  saved.save(run.state(), "");
  CHECK_SAYS(log.lines, "ckpt-000001' is not needed any more, but cannot be removed (Input/output error).");
  // Whoever goes on from what a run leaves that has ended is to find its end.
  log.lines.clear();
  saved.remove_all();
  CHECK_SAYS(log.lines, "ckpt-000001' is not needed any more, but cannot be removed (Input/output error).");
  CHECK(!tests::contains(log.lines, "ckpt-000002"));
  CHECK(cn::generations(saved.folder()).numbers() == std::vector<std::uint64_t>{2, 1});

  const tests::temporary_folder another;
  log.lines.clear();
  cn::checkpoints ended(another.path(), log.options());
  ended.save(run.state(), "");
  std::filesystem::remove(ended.folder() / "LATEST");
  std::filesystem::create_directory(ended.folder() / "LATEST");
  ended.remove_all();
  CHECK(!ended.exist());
  CHECK_SAYS(log.lines, "LATEST' cannot be removed (Is a directory).");
}

TEST_CASE("what is loaded is what was checked, whatever lies there afterwards") {
  // A disk on which somebody puts another state, that holds as well, in the place of one that has just been read.
  class swapping_disk final : public cn::file_calls {
   public:
    std::filesystem::path other;
    int open(const char* path, int flags, unsigned mode) override {
      const int file = file_calls::open(path, flags, mode);
      if (flags % 4 == O_RDONLY && std::string_view(path).ends_with("state.safetensors")) {
        path_ = path;
        file_ = file;
      }
      return file;
    }
    int close(int file) override {
      if (file == file_) {
        std::filesystem::remove(path_);
        std::filesystem::create_symlink(other, path_);
        file_ = -1;
      }
      return file_calls::close(file);
    }

   private:
    std::string path_;
    int file_ = -1;
  } disk;
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  {
    run.advance(1);
    cn::checkpoints saved(folder.path() / "a", log.options());
    saved.save(run.state(), "");
    run.advance(2);
    cn::checkpoints others(folder.path() / "b", log.options());
    others.save(run.state(), "");
  }
  const auto state = std::filesystem::path("checkpoints") / "ckpt-000001" / "state.safetensors";
  disk.other = folder.path() / "b" / state;
  auto options = log.options();
  options.calls = &disk;
  cn::checkpoints saved(folder.path() / "a", options);
  small_run loaded;
  saved.load(loaded.state());
  CHECK(std::filesystem::is_symlink(folder.path() / "a" / state));
  CHECK(loaded.is_at(1));
  CHECK_SAYS(message_of([&] { saved.load(loaded.state()); }),
             "cannot be opened (Too many levels of symbolic");
}

TEST_CASE("an output of one byte that is gone is missed, parts of a state have the names of their part") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  append(folder.path() / "metrics.csv", "x");
  {
    cn::checkpoints saved(folder.path(), log.options());
    saved.save(run.state(), "");
  }
  std::filesystem::remove(folder.path() / "metrics.csv");
  cn::checkpoints saved(folder.path(), log.options());
  CHECK_SAYS(message_of([&] { saved.load(run.state()); }),
             "metrics.csv' has 0 bytes, but had 1 when it was made");
  CHECK(run.state().entries().back().name == "random.cpu");
}

namespace {

/// A disk with as much room as is said.
struct small_disk final : cn::file_calls {
  std::uint64_t room = 0;
  int free_bytes(const char*, std::uint64_t& bytes) override {
    bytes = room;
    return 0;
  }
};

/// Checkpoints of a small run on such a disk.
struct run_on_small_disk {
  tests::temporary_folder folder;
  small_disk disk;
  quiet_log log;
  small_run run;
  cn::checkpoints saved{folder.path(), options()};

  /// What saving says where there is this much room; nothing where it succeeds.
  std::string save(std::uint64_t room) {
    disk.room = room;
    return message_of([&] { saved.save(run.state(), ""); });
  }

 private:
  cn::checkpoint_options options() {
    auto all = log.options();
    all.calls = &disk;
    return all;
  }
};

}  // namespace

TEST_CASE("the room that a checkpoint is said to need suffices, and is not much more than it takes") {
  run_on_small_disk its;
  const auto refused = [&](std::uint64_t room) {
    const auto message = its.save(room);
    return message.find("no checkpoint can be written") != std::string::npos;
  };
  std::uint64_t low = 0;  // refused
  std::uint64_t high = std::uint64_t{1} << 22;
  REQUIRE(refused(low));
  REQUIRE(!refused(high));
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (refused(middle) ? low : high) = middle;
  }
  std::uint64_t written = 0;
  for (const auto& generation : std::filesystem::directory_iterator(its.saved.folder())) {
    if (!generation.is_directory()) continue;
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(generation)) bytes += file.file_size();
    written = std::max(written, bytes);
  }
  CAPTURE(high);
  CAPTURE(written);
  CHECK(written > 0);
  CHECK(high >= written);
  CHECK(high <= written + written / 2 + 4096);
}

TEST_CASE("a state that is said to have more than a run of this kind can is not read into memory") {
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  std::uint64_t most = std::uint64_t{1} << 30U;
  const auto state = run.state();
  for (const auto& entry : state.entries()) most += 4 * entry.value().nbytes();
  {
    cn::generations all(folder.path() / "checkpoints");
    std::filesystem::create_directory(folder.path() / "checkpoints");
    cn::checkpoint_manifest manifest;
    manifest.generation = 1;
    manifest.configuration = {{"epochs", "50"}};
    all.write(manifest, 0, [&](const std::filesystem::path& generation) {
      const auto facts = cn::write_text(generation / "state.safetensors", "a few");
      std::filesystem::resize_file(generation / "state.safetensors", most + 1);  // which takes no room
      return std::vector<cn::checkpoint_manifest::file>{{"state.safetensors", most + 1, facts.sha256}};
    });
  }
  cn::checkpoints saved(folder.path(), log.options());
  const auto message = message_of([&] { saved.load(run.state()); });
  CHECK_SAYS(message, "its file 'state.safetensors' is to have " + std::to_string(most + 1) + " bytes, and " +
                          std::to_string(most) + " are the most that are read");
}

TEST_CASE("removing all is quiet where each call succeeds, whatever errno says then") {
  class noisy_disk final : public cn::file_calls {
   public:
    int unlink(const char* path) override {
      const int result = file_calls::unlink(path);
      errno = EIO;
      return result;
    }
  } disk;
  const tests::temporary_folder folder;
  quiet_log log;
  small_run run;
  auto options = log.options();
  options.calls = &disk;
  cn::checkpoints saved(folder.path(), options);
  saved.save(run.state(), "");
  saved.remove_all();
  CHECK(!saved.exist());
  CHECK(log.lines.empty());
}

TEST_CASE("too little room is told before anything is written") {
  run_on_small_disk its;
  const auto message = its.save(100);
  CHECK_SAYS(message, "no checkpoint can be written to '" + its.saved.folder().string() + "': it needs ");
  CHECK_SAYS(message, " KiB, but 100 bytes are free there");
  CHECK(!its.saved.exist());
}

}  // namespace checkpoint_test
