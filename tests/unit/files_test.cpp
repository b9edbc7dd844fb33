// What is written to disk, without LibTorch: digests, files that are replaced whole, manifests, generations, locks.
#include "files.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <crispnas/io/atomic_file.hpp>
#include <crispnas/io/generations.hpp>
#include <crispnas/io/made_folder.hpp>
#include <crispnas/io/manifest.hpp>
#include <crispnas/io/run_lock.hpp>
#include <iterator>
#include <random>
#include <string>

#include "failing_files.hpp"

namespace files_test {

namespace cn = crispnas;
using tests::fault;
using tests::message_of;

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

cn::checkpoint_manifest an_example() {
  cn::checkpoint_manifest m;
  m.generation = 12;
  m.position = "epoch 3 of 50, step 17";
  m.libtorch = "2.11.0";
  m.device = "cpu";
  m.threads = 2;
  m.configuration = {{"epochs", "50"}, {"ops", "a \"b\"\n\xC3\xA9"}};
  m.files = {{"state.safetensors", 3, cn::sha256::of("abc")}};
  m.outputs = {{"metrics.csv", 1234}, {"log.txt", 5}};
  return m;
}

/// A generation of one file.
void write_generation(cn::generations& all, std::uint64_t number, const std::string& bytes,
                      cn::file_calls& calls = cn::system_files()) {
  auto manifest = an_example();
  manifest.generation = number;
  all.write(manifest, bytes.size(), [&](const std::filesystem::path& folder) {
    const auto facts = cn::write_text(folder / "state", bytes, calls);
    return std::vector<cn::checkpoint_manifest::file>{{"state", facts.bytes, facts.sha256}};
  });
}

/// What a disk may do.
struct habits {
  int write_fails_with = 0;
  bool writes_nothing = false;
  bool reads_other_bytes = false;
  bool folders_have_no_sync = false;
  bool room_is_unknown = false;
  bool unlinks_nothing = false;
  std::uint64_t room = 0;  ///< 0: as it is
};

class odd_disk final : public cn::file_calls {
 public:
  explicit odd_disk(habits its) : its_(its) {}
  std::ptrdiff_t write(int file, const void* from, std::size_t bytes) override {
    if (its_.writes_nothing) return 0;
    if (its_.write_fails_with == 0) return file_calls::write(file, from, bytes);
    errno = its_.write_fails_with;
    return -1;
  }
  std::ptrdiff_t read(int file, void* to, std::size_t bytes) override {
    const auto got = file_calls::read(file, to, bytes);
    if (its_.reads_other_bytes && got > 0) *static_cast<char*>(to) ^= 1;
    return got;
  }
  int fsync(int file) override {
    struct stat facts {};
    ::fstat(file, &facts);
    if (!its_.folders_have_no_sync || !S_ISDIR(facts.st_mode)) return 0;
    errno = EINVAL;
    return -1;
  }
  int free_bytes(const char* path, std::uint64_t& bytes) override {
    if (its_.room_is_unknown) return -1;
    if (its_.room == 0) return file_calls::free_bytes(path, bytes);
    bytes = its_.room;
    return 0;
  }
  int unlink(const char* path) override { return its_.unlinks_nothing ? -1 : file_calls::unlink(path); }

 private:
  habits its_;
};

}  // namespace

TEST_CASE("SHA-256: the vectors of NIST") {
  CHECK(cn::sha256::of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(cn::sha256::of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(cn::sha256::of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(cn::sha256::of(
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
            "mnopqrsmnopqrstnopqrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(cn::sha256::of(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // From the byte-oriented vectors of the validation program: lengths of 1 and 64 bytes.
  CHECK(cn::sha256::of("\xD3") == "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
  const std::string text(1000, 'x');
  for (const std::size_t cut : {0U, 1U, 55U, 56U, 63U, 64U, 65U, 119U, 120U, 999U, 1000U}) {
    cn::sha256 parts;
    parts.add(std::string_view(text).substr(0, cut)).add(std::string_view(text).substr(cut));
    CHECK(parts.hex() == cn::sha256::of(text));
  }
}

TEST_CASE("a file that is replaced keeps its permissions, a link stays a link") {
  const tests::temporary_folder folder;
  const auto path = folder.write("a", "old");
  ::chmod(path.c_str(), 0640);
  const auto facts = cn::write_text(path, "new");
  CHECK(facts.bytes == 3);
  CHECK(facts.sha256 == cn::sha256::of("new"));
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0640U);
  const auto mask = ::umask(027);
  cn::write_text(folder.path() / "fresh", "x");
  ::umask(mask);
  REQUIRE(::stat((folder.path() / "fresh").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0640U);  // 0666 less the mask

  const auto link = folder.path() / "link";
  std::filesystem::create_symlink("a", link);
  cn::write_text(link, "through");
  CHECK(std::filesystem::is_symlink(link));
  CHECK(bytes_of(path) == "through");
  std::filesystem::create_symlink("nowhere", folder.path() / "lost");
  CHECK_SAYS(message_of([&] { cn::write_text(folder.path() / "lost", "x"); }),
             "symbolic link that leads nowhere");
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  CHECK_SAYS(message_of([&] { cn::write_text(folder.path() / "loop", "x"); }),
             "symbolic link that leads nowhere");
  CHECK(files_in(folder.path()) == 5);
}

TEST_CASE("what is no file is not replaced, and a name without a folder is one of the folder at hand") {
  const tests::temporary_folder folder;
  CHECK_SAYS(message_of([&] { cn::write_text(folder.path(), "x"); }), "it is a folder. Name a file");
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(message_of([&] { cn::write_text(pipe, "x"); }), "it is a device or a pipe");
  CHECK(std::filesystem::is_fifo(pipe));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  cn::write_text("bare", "x");
  std::filesystem::current_path(before);
  CHECK(bytes_of(folder.path() / "bare") == "x");
  const std::string large(200000, 'y');  // more than is read back at once
  CHECK(cn::write_text(folder.path() / "large", large).sha256 == cn::sha256::of(large));
}

TEST_CASE("temporaries that others have left are passed over, until there are too many") {
  const tests::temporary_folder folder;
  const std::string stem = ".tmp-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < 999; ++i) folder.write(stem + std::to_string(i), "half");
  CHECK(cn::write_text(folder.path() / "a", "whole").bytes == 5);
  CHECK(bytes_of(folder.path() / "a") == "whole");
  CHECK(bytes_of(folder.path() / (stem + "998")) == "half");
  folder.write(stem + "999", "half");
  CHECK_SAYS(message_of([&] { cn::write_text(folder.path() / "b", "x"); }),
             "a temporary file in its folder cannot be made (File exists)");
  CHECK(files_in(folder.path()) == 1001);
}

TEST_CASE(
    "disks that write nothing, have a quota, give back other bytes, or cannot say how much room there is") {
  const tests::temporary_folder folder;
  const auto path = folder.write("a", "old");
  const auto said = [&](habits its) {
    odd_disk disk(its);
    return message_of([&] { cn::write_text(path, "new", disk); });
  };
  CHECK_SAYS(said({.writes_nothing = true}), "writing failed (Input/output error).");
  CHECK_SAYS(said({.write_fails_with = EDQUOT}), "(Disk quota exceeded). It needs 3 bytes; free there: ");
  CHECK_SAYS(said({.write_fails_with = EFBIG, .room = 40}),
             "(File too large). It needs 3 bytes; free there: 40 bytes.");
  CHECK_SAYS(said({.write_fails_with = ENOSPC, .room_is_unknown = true}), "device). It needs 3 bytes.");
  CHECK_SAYS(said({.reads_other_bytes = true}), "what was read back is not what was written.");
  CHECK_SAYS(said({.room = 2}), "it needs 3 bytes, but 2 bytes are free there.");
  CHECK(bytes_of(path) == "old");
  CHECK(files_in(folder.path()) == 1);
  CHECK(said({.room = 3}).empty());
  CHECK(said({.folders_have_no_sync = true}).empty());
  CHECK(said({.room_is_unknown = true}).empty());
  CHECK(bytes_of(path) == "new");
  std::uint64_t room = 7;
  CHECK(cn::system_files().free_bytes((folder.path() / "none").c_str(), room) != 0);
  CHECK(room == 7);
}

TEST_CASE("each call of writing a file fails once: the old one or the new one, and the message is true") {
  int cases = 0;
  for (const auto what : {fault::io_error, fault::no_space, fault::interrupted, fault::short_count,
                          fault::exit_before, fault::exit_after}) {
    for (int number = 1;; ++number) {
      const tests::temporary_folder folder;
      const auto path = folder.write("a", "the old text");
      tests::failing_files calls(number, what);
      const auto message = message_of([&] { cn::write_text(path, "the new text", calls); });
      const std::string now = bytes_of(path);
      CAPTURE(number);
      CAPTURE(message);
      const std::string at = calls.name_of_call();
      CAPTURE(at);
      if (message.empty() || tests::contains(message, "was written, but")) {
        CHECK(now == "the new text");
      } else if (calls.ended()) {
        CHECK((now == "the old text" || now == "the new text"));
      } else {
        CHECK_SAYS(message, "cannot be written");
        CHECK(now == "the old text");
      }
      if (!calls.ended() && at != "unlink") CHECK(files_in(folder.path()) == 1);
      if (what == fault::short_count) CHECK(message.empty());
      if (what == fault::interrupted && at != "fchmod" && at != "rename") CHECK(message.empty());
      if (what == fault::no_space && !message.empty()) {
        CHECK_SAYS(message, "a' ");
        CHECK_SAYS(message, "(No space left on device)");
        CHECK_SAYS(message, ". It needs 12 bytes; free there: ");
      }
      if (!calls.met()) {
        CHECK(message.empty());
        break;
      }
      ++cases;
    }
  }
  MESSAGE(cases << " cases");
  CHECK(cases > 60);
}

TEST_CASE("a manifest comes back, and nothing else is one") {
  const auto example = an_example();
  const std::string text = cn::manifest_text(example);
  CHECK((cn::parse_manifest(text) == example));
  CHECK((cn::parse_manifest(cn::manifest_text({})) == cn::checkpoint_manifest{}));
  CHECK(cn::checkpoint_manifest{}.generation == 0);
  for (std::size_t length = 0; length < text.size(); ++length)
    REQUIRE(!message_of([&] { cn::parse_manifest(text.substr(0, length)); }).empty());
  for (std::size_t byte = 0; byte < text.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = text;
      other[byte] = static_cast<char>(other[byte] ^ (1 << bit));
      REQUIRE(!message_of([&] { cn::parse_manifest(other); }).empty());
    }
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return message_of([&] { cn::parse_manifest(other); });
  };
  CHECK_SAYS(with("\"schema\": 1", "\"schema\": 2"), "its schema is 2; this version of crispnas reads 1");
  CHECK_SAYS(with("\"epochs\": \"50\"", "\"epochs\": \"60\""), "was edited");
  CHECK_SAYS(with(",\n\"position\"", ", \n\"position\""), "was edited");
  CHECK_SAYS(with("\"position\"", "\"place\""), "'position' is expected");
  for (const char* name : {"../state", "/etc/passwd", ".hidden", "", "a/b", "a\\\\b", "a\\u0000"}) {
    CHECK_SAYS(with("state.safetensors", name), "is no name of a file in the folder");
    CHECK_SAYS(with("metrics.csv", name), "is no name of a file in the folder");
  }
  CHECK(with("state.safetensors", std::string(255, 'a')) == with("state.safetensors", "other"));
  CHECK_SAYS(with("state.safetensors", std::string(256, 'a')), "is no name of a file in the folder");
  auto large = example;
  large.configuration.assign(1, {"key", std::string(1 << 20, 'x')});
  CHECK_SAYS(message_of([&] { cn::manifest_text(large); }), "more than the 1048576 that are accepted");
  large.configuration.assign(10001, {"k", "v"});
  CHECK_SAYS(message_of([&] { cn::manifest_text(large); }), "more than 10000 settings");
  large = example;
  large.files.assign(65, large.files.front());
  CHECK_SAYS(message_of([&] { cn::manifest_text(large); }), "more than 64 files");
}

TEST_CASE("in what configurations differ") {
  const cn::text_pairs there{{"epochs", "50"}, {"seed", "1"}, {"gone", "x"}};
  const cn::text_pairs here{{"new", "y"}, {"seed", "1"}, {"epochs", "60"}};
  const std::vector<std::string> expected{"epochs: 50 there, 60 here", "gone: x there, absent here",
                                          "new: absent there, y here"};
  CHECK(cn::differences(there, here) == expected);
  CHECK(cn::differences(there, there).empty());
  CHECK(cn::configuration_digest(there) == cn::configuration_digest({there[2], there[0], there[1]}));
  CHECK(cn::configuration_digest(there) != cn::configuration_digest(here));
  CHECK(cn::configuration_digest({{"ab", "c"}}) != cn::configuration_digest({{"a", "bc"}}));
}

TEST_CASE("sizes as people read them") {
  CHECK(cn::bytes_text(0) == "0 bytes");
  CHECK(cn::bytes_text(1023) == "1023 bytes");
  CHECK(cn::bytes_text(1536) == "1.5 KiB");
  CHECK(cn::bytes_text(std::uint64_t{312} << 20) == "312.0 MiB");
  CHECK(cn::bytes_text(std::uint64_t{5} << 50) == "5120.0 TiB");
}

TEST_CASE("names as they are shown: printable, and not endless") {
  CHECK(cn::printable_name("plain ~") == "plain ~");
  CHECK(cn::printable_name("\x1b[2J\x7f\xC3\xA4") == "\\x1b[2J\\x7f\\xc3\\xa4");
  CHECK(cn::printable_name(std::string(200, 'a')) == std::string(200, 'a'));
  CHECK(cn::printable_name(std::string(201, 'a')) == std::string(200, 'a') + "...");
  CHECK(cn::printable_name("abc", 2) == "ab...");
}

TEST_CASE("generations: found by name, checked by content") {
  const tests::temporary_folder folder;
  cn::generations all(folder.path());
  CHECK(all.numbers().empty());
  write_generation(all, 1, "one");
  write_generation(all, 2, "two");
  write_generation(all, 1000000, "a million");
  for (const char* other :
       {"ckpt-", "ckpt-1", "ckpt-0000001", "ckpt-00000x", "ckpt-99999999999999999999", "other"})
    std::filesystem::create_directory(folder.path() / other);
  CHECK(all.numbers() == std::vector<std::uint64_t>{1000000, 2, 1});
  CHECK(all.checked(2).files.front().bytes == 3);

  const auto refused = [&](std::uint64_t number) { return message_of([&] { all.checked(number); }); };
  const auto state = all.path_of(2) / "state";
  const auto put = [&](const std::string& bytes) { std::ofstream(state, std::ios::binary) << bytes; };
  put("twO");
  CHECK_SAYS(refused(2), "its file 'state' is damaged");
  put("tw");
  CHECK_SAYS(refused(2), "is to have 3 bytes and has 2");
  put("two and more");
  CHECK_SAYS(refused(2), "is to have 3 bytes and has more");
  std::filesystem::remove(state);
  CHECK_SAYS(refused(2), "its file 'state' cannot be opened");
  std::filesystem::create_symlink("/etc/hostname", state);
  CHECK_SAYS(refused(2), "its file 'state' cannot be opened");  // not followed
  std::filesystem::remove(state);
  REQUIRE(::mkfifo(state.c_str(), 0600) == 0);
  CHECK_SAYS(refused(2), "is to have 3 bytes and has 0");  // and not waited for
  std::filesystem::remove(all.path_of(2) / cn::generations::manifest_name);
  CHECK_SAYS(refused(2), "its manifest cannot be opened");
  std::filesystem::create_directory(all.path_of(2) / cn::generations::manifest_name);
  CHECK_SAYS(refused(2), "its manifest cannot be read");
  std::filesystem::rename(all.path_of(1), all.path_of(7));
  CHECK_SAYS(refused(7), "it is generation 1 under another name");
  std::ofstream(all.path_of(7) / cn::generations::manifest_name) << std::string(3 << 20, ' ');
  CHECK_SAYS(refused(7), "more than the 1048576 that are accepted");

  CHECK(all.remove(7));
  CHECK(!all.remove(8));
  CHECK(all.numbers() == std::vector<std::uint64_t>{1000000, 2});
  std::filesystem::create_directory(folder.path() / ".tmp-ckpt-000009");
  std::ofstream(folder.path() / ".tmp-ckpt-000009" / "state") << "half";
  std::ofstream(folder.path() / ".tmp-1-0") << "half";
  all.clean();
  CHECK(files_in(folder.path()) == 2 + 6);
  CHECK_SAYS(message_of([&] { cn::generations(folder.path() / "none").numbers(); }), "cannot be listed");
  // What cannot be removed stays, and a generation that is not needed any more is not found half removed.
  const auto aside = folder.write(".tmp-old-ckpt-000002", "a file");
  odd_disk keeps_files({.unlinks_nothing = true});
  cn::generations kept(folder.path(), keeps_files);
  kept.clean();
  CHECK(std::filesystem::exists(aside));
  CHECK(!kept.remove(2));
  all.clean();
  CHECK(!std::filesystem::exists(aside));
}

TEST_CASE("the bytes of a generation are those that were checked") {
  const tests::temporary_folder folder;
  cn::generations all(folder.path());
  const std::string text(200000, 'x');  // more than is read at once
  write_generation(all, 1, text);
  CHECK(all.checked_with(1, "state").bytes == text);
  CHECK(!all.checked_with(1, "other").bytes);
  CHECK(all.checked(1) == all.checked_with(1, "state").manifest);
  CHECK(all.checked_with(1, "state", text.size()).bytes == text);
  CHECK_SAYS(message_of([&] { all.checked_with(1, "state", text.size() - 1); }),
             "its file 'state' is to have 200000 bytes, and 199999 are the most that are read");
}

TEST_CASE("a file of another length is refused before any of it is read") {
  const tests::temporary_folder folder;
  odd_disk disk({});
  cn::generations all(folder.path(), disk);
  write_generation(all, 1, "one");
  class counting_disk final : public cn::file_calls {
   public:
    int reads = 0;
    std::ptrdiff_t read(int file, void* to, std::size_t bytes) override {
      ++reads;
      return file_calls::read(file, to, bytes);
    }
  } counting;
  cn::generations seen(folder.path(), counting);
  seen.checked(1);
  const int of_both = counting.reads;
  // A terabyte that takes no room.
  std::filesystem::resize_file(seen.path_of(1) / "state", std::uintmax_t{1} << 40U);
  counting.reads = 0;
  CHECK_SAYS(message_of([&] { seen.checked_with(1, "state"); }), "is to have 3 bytes and has more");
  CHECK(counting.reads < of_both);
}

TEST_CASE("a generation that does not fit: each call says how much it needs, and what is free") {
  for (int number = 1;; ++number) {
    const tests::temporary_folder folder;
    tests::failing_files calls(number, fault::no_space);
    cn::generations all(folder.path(), calls);
    const auto message = message_of([&] { write_generation(all, 1, "three", calls); });
    CAPTURE(number);
    CAPTURE(calls.name_of_call());
    if (!calls.met()) break;
    if (message.empty()) continue;  // how much is free is only asked
    CHECK_SAYS(message, folder.path().string());
    CHECK_SAYS(message, "(No space left on device)");
    CHECK_SAYS(message, ". It needs ");
    CHECK_SAYS(message, " bytes; free there: ");
  }
}

TEST_CASE("a folder is made with those above it, and the name of each reaches the disk") {
  const tests::temporary_folder folder;
  class watched_disk final : public cn::file_calls {
   public:
    std::string synced;  ///< folders, one a line
    int open(const char* path, int flags, unsigned mode) override {
      opened_ = path;
      return file_calls::open(path, flags, mode);
    }
    int fsync(int) override {
      synced += opened_ + "\n";
      return 0;
    }

   private:
    std::string opened_;
  } disk;
  const std::string root = folder.path().string();
  cn::make_folder(folder.path() / "a" / "b" / "c", disk);
  CHECK(std::filesystem::is_directory(folder.path() / "a" / "b" / "c"));
  CHECK(disk.synced == root + "\n" + root + "/a\n" + root + "/a/b\n");
  disk.synced.clear();
  cn::make_folder(folder.path() / "a" / "b" / "c", disk);
  CHECK(disk.synced.empty());
  cn::make_folder(folder.path() / "d" / "", disk);  // is there once d is
  CHECK(std::filesystem::is_directory(folder.path() / "d"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  disk.synced.clear();
  cn::make_folder("bare", disk);
  std::filesystem::current_path(before);
  CHECK(std::filesystem::is_directory(folder.path() / "bare"));
  CHECK(disk.synced == ".\n");

  const auto file = folder.write("file", "x");
  CHECK_SAYS(message_of([&] { cn::make_folder(file); }), "file' cannot be made (File exists).");
  CHECK_SAYS(message_of([&] { cn::make_folder(file / "below"); }), "file' cannot be made (File exists).");
  for (int number = 1; number <= 3; ++number) {
    tests::failing_files calls(number, fault::no_space);
    const auto wanted = folder.path() / ("full" + std::to_string(number));
    const auto message = message_of([&] { cn::make_folder(wanted, calls); });
    CHECK_SAYS(message, calls.name_of_call() == "mkdir" ? "full1' cannot be made (No space left on device)"
                                                        : root + "' did not reach the disk (No space left");
    CHECK_SAYS(message, ". It needs a new folder; free there: ");
    CHECK(std::filesystem::exists(wanted) == (number > 1));
  }
}

TEST_CASE("2,000 random bit flips and every length: nothing damaged is accepted") {
  const tests::temporary_folder folder;
  cn::generations all(folder.path());
  std::mt19937 random(1);
  std::string bytes(4096, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  write_generation(all, 1, bytes);
  const auto state = all.path_of(1) / "state";
  const auto manifest = all.path_of(1) / cn::generations::manifest_name;
  std::string text = bytes_of(manifest);
  int accepted = 0;
  const auto try_it = [&] { accepted += message_of([&] { all.checked(1); }).empty() ? 1 : 0; };
  for (int i = 0; i < 2000; ++i) {
    const bool of_state = i % 2 == 0;
    std::fstream file(of_state ? state : manifest, std::ios::binary | std::ios::in | std::ios::out);
    const std::string& whole = of_state ? bytes : text;
    const auto bit = random() % (8 * whole.size());
    const auto put = [&](char c) { file.seekp(static_cast<std::streamoff>(bit / 8)).put(c).flush(); };
    put(static_cast<char>(whole[bit / 8] ^ (1 << bit % 8)));
    try_it();
    put(whole[bit / 8]);
  }
  CHECK(message_of([&] { all.checked(1); }).empty());
  for (const auto& [path, whole] : {std::pair(state, &bytes), std::pair(manifest, &text)}) {
    std::ofstream(path, std::ios::binary | std::ios::app) << '\0';
    try_it();
    for (std::size_t length = whole->size(); length-- > 0;) {
      std::filesystem::resize_file(path, length);
      try_it();
    }
    std::ofstream(path, std::ios::binary) << *whole;
    CHECK(message_of([&] { all.checked(1); }).empty());
  }
  CHECK(accepted == 0);
}

TEST_CASE("one writer at a time") {
  const tests::temporary_folder folder;
  {
    const cn::run_lock first(folder.path());
    CHECK_SAYS(message_of([&] { cn::run_lock(folder.path()); }), "is in use: another run");
  }
  CHECK(message_of([&] { cn::run_lock(folder.path()); }).empty());
  CHECK_SAYS(message_of([&] { cn::run_lock(folder.path() / "none"); }),
             "cannot be locked (No such file or directory). Check its permissions.");
  tests::failing_files full(1, fault::no_space);
  CHECK_SAYS(message_of([&] { cn::run_lock(folder.path(), full); }),
             "cannot be locked (No space left on device). It needs a new file; free there: ");
  tests::failing_files calls(2, fault::io_error);
  CHECK_SAYS(message_of([&] { cn::run_lock(folder.path(), calls); }),
             "Take a folder on a file system that has locks");
}

}  // namespace files_test
