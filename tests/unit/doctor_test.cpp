// What the doctor concludes from what it finds, without LibTorch: why no GPU is seen, libraries that are there twice, data sets.
#include <zlib.h>

#include <string>
#include <vector>

#include "files.hpp"
#include "support/doctor/data_files.hpp"
#include "support/doctor/findings.hpp"
#include "support/doctor/loaded_libraries.hpp"
#include "support/doctor/machine.hpp"
#include "support/doctor/why_no_cuda.hpp"

namespace doctor_test {

using support::cuda_facts;
using support::findings;
using support::health;
using tests::temporary_folder;

namespace {

std::string gzipped(const std::string& text) {
  std::string out(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string be32(unsigned value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((value >> shift) & 0xFFU);
  return text;
}

/// Two tiny sets under the names of Fashion-MNIST's files, packed.
void write_fashion(const temporary_folder& folder) {
  const std::string images = be32(0x803) + be32(3) + be32(2) + be32(2) + std::string(12, 'x');
  const std::string labels = be32(0x801) + be32(3) + std::string("\x01\x02\x09", 3);
  for (const std::string part : {"train", "t10k"}) {
    folder.write(part + "-images-idx3-ubyte.gz", gzipped(images));
    folder.write(part + "-labels-idx1-ubyte.gz", gzipped(labels));
  }
}

std::string text_of(const findings& all) { return support::to_text(all); }

}  // namespace

TEST_CASE("why no GPU is seen: one reason for each state of a machine") {
  const auto why = [](const cuda_facts& facts) { return support::why_no_cuda(facts).first; };
  CHECK_SAYS(why({}), "no NVIDIA GPU or no driver here");
  CHECK_SAYS(why({.driver_library = true}), "libcuda.so.1 is here, but no /dev/nvidia0");
  CHECK_SAYS(why({.device_files = true}), "libcuda.so.1 cannot be loaded");
  CHECK_SAYS(why({.device_files = true, .driver_library = true}), "of the CPU flavour");
  CHECK_SAYS(why({.beside = true, .device_files = true, .driver_library = true}),
             "built without libtorch_cuda");
  cuda_facts there{.linked = true,
                   .device_files = true,
                   .driver_library = true,
                   .driver_version = 11080,
                   .runtime_version = 12040};
  CHECK_SAYS(why(there), "too old: it runs CUDA up to 11.8, LibTorch was built for 12.4");
  there.driver_version = 12010;  // minor versions of a major one run on one another's drivers
  CHECK_SAYS(why(there), "LibTorch sees no device");
  there.driver_answer = 999;
  CHECK_SAYS(why(there), "cuInit answers 999");
  there.is_visible_set = true;
  CHECK_SAYS(why(there), "CUDA_VISIBLE_DEVICES is '', which hides every GPU");
  CHECK(support::cuda_of_libtorch("  - CUDA Runtime 12.4\n") == 12040);
  CHECK(support::cuda_of_libtorch("  - CPU capability usage: AVX2") == 0);
}

TEST_CASE("a GPU that is asked for is to be there") {
  const auto of = [](const cuda_facts& facts, const char* device) {
    return support::cuda_findings(facts, device).front();
  };
  CHECK(of({}, "cpu").state == health::ok);
  CHECK(of({}, "cuda").state == health::problem);
  CHECK(of({.device_files = true}, "cpu").state == health::warning);
  cuda_facts two{.devices = 2, .linked = true, .device_files = true, .driver_library = true};
  CHECK(of(two, "cuda:1").state == health::ok);
  CHECK(of(two, "cuda:2").state == health::problem);
  CHECK(of(two, "cuda:2").advice == "The last one is cuda:1.");
}

TEST_CASE("libraries that are there twice") {
  CHECK(support::library_stem("/a/libgomp-98b21ff3.so.1.0.0") == "libgomp");
  CHECK(support::library_stem("/a/libtorch_cpu.so") == "libtorch_cpu");
  CHECK(support::library_stem("/a/ld-linux-x86-64.so.2") == "ld");
  const std::vector<std::string> one{"/t/libc10.so", "/t/libtorch_cpu.so", "/t/libgomp.so.1",
                                     "/usr/lib/libz.so.1.2.13"};
  CHECK_FALSE(support::any_problem(support::library_findings(one)));
  CHECK_SAYS(text_of(support::library_findings(one)), "ok       libz");
  auto two = one;
  two.emplace_back("/usr/lib/libiomp5.so");
  CHECK_SAYS(text_of(support::library_findings(two)),
             "warning  OpenMP        /t/libgomp.so.1 and /usr/lib/libiomp5.so");
  two.emplace_back("/other/libtorch_cpu.so");
  CHECK(support::any_problem(support::library_findings(two)));
  CHECK_SAYS(text_of(support::library_findings({})), "warning  OpenMP  none is loaded");
  const auto here = support::loaded_libraries();
  CHECK_FALSE(support::loaded_path(here, "libstdc++").empty());
}

TEST_CASE("data: whole, damaged, incomplete, another number of labels, none") {
  const temporary_folder folder;
  CHECK(support::data_findings(folder.path()).empty());
  write_fashion(folder);
  auto all = support::data_findings(folder.path());
  CHECK(all.size() == 4);
  CHECK_FALSE(support::any_problem(all));
  CHECK_SAYS(text_of(all), "unknown file, which can be read: 3 images of 2 x 2; SHA-256 ");
  const auto path = folder.path() / "train-images-idx3-ubyte.gz";
  std::string bytes;
  for (const auto b : crispnas::read_data_file(path, 1000)) bytes += static_cast<char>(b);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  folder.write("train-images-idx3-ubyte.gz", bytes);
  CHECK_SAYS(text_of(support::data_findings(folder.path())), "problem  train-images-idx3-ubyte.gz  gzip: '");
  write_fashion(folder);
  folder.write("t10k-labels-idx1-ubyte.gz", gzipped(be32(0x801) + be32(1) + "\x01"));
  CHECK_SAYS(text_of(support::data_findings(folder.path())), "3 images, but 1 labels");
  std::filesystem::remove(folder.path() / "t10k-labels-idx1-ubyte.gz");
  CHECK_SAYS(text_of(support::data_findings(folder.path())), "does not exist");
}

TEST_CASE("data: the name and the length of a known file, but other bytes") {
  const temporary_folder folder;
  write_fashion(folder);
  const std::string labels = be32(0x801) + be32(10000) + std::string(10000, '\3');
  folder.write("t10k-labels-idx1-ubyte.gz", gzipped(labels));
  const auto suspect =
      "warning  t10k-labels-idx1-ubyte.gz   has the name and the length of 'Fashion-MNIST, test labels', but "
      "other bytes: 10000 labels; SHA-256 ";
  CHECK_SAYS(text_of(support::data_findings(folder.path())), suspect);
  folder.write("t10k-labels-idx1-ubyte", labels + '\3');
  CHECK_SAYS(text_of(support::data_findings(folder.path())), "problem  t10k-labels-idx1-ubyte ");
  folder.write("data_batch_1.bin", std::string(std::size_t{10000} * 3073, '\1'));
  folder.write("test_batch.bin", std::string(3073, '\1'));
  const auto all = text_of(support::data_findings(folder.path()));
  CHECK_SAYS(all, "has the name and the length of 'CIFAR-10, data_batch_1.bin', but other bytes");
  CHECK_SAYS(all, "Unless it is another set of the same shape, it is damaged");
}

TEST_CASE("data: CIFAR's records, photographs, subfolders") {
  const temporary_folder folder;
  std::filesystem::create_directories(folder.path() / "cifar-10");
  folder.write("cifar-10/data_batch_1.bin", std::string(std::size_t{2} * 3073, '\1'));
  auto all = support::data_findings(folder.path());
  CHECK_SAYS(text_of(all), "2 images of 32 x 32");
  CHECK_SAYS(text_of(all), "problem  test_batch*.bin");
  folder.write("cifar-10/test_batch.bin", std::string(3073, '\1'));
  CHECK_FALSE(support::any_problem(support::data_findings(folder.path())));
  folder.write("cifar-10/test_batch.bin", std::string(3073, '\x0a'));
  CHECK_SAYS(text_of(support::data_findings(folder.path())),
             "from record 0, record 0: label 10 is outside 0..9");
  folder.write("cifar-10/test_batch.bin", std::string(3000, '\1'));
  CHECK_SAYS(text_of(support::data_findings(folder.path())), "is truncated");
  const temporary_folder photographs;
  std::filesystem::create_directories(photographs.path() / "train" / "daisy");
  photographs.write("train/daisy/a.jpg", "\xff\xd8\xff");
  CHECK_SAYS(text_of(support::data_findings(photographs.path())), "problem  train");
  std::filesystem::copy_file(CRISPNAS_FUZZ_FILES "/corpus/jpeg/baseline",
                             photographs.path() / "train" / "daisy" / "a.jpg",
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy(photographs.path() / "train", photographs.path() / "val",
                        std::filesystem::copy_options::recursive);
  all = support::data_findings(photographs.path());
  CHECK_FALSE(support::any_problem(all));
  CHECK_SAYS(text_of(all), "1 classes of photographs, 1 in the first, which begin with one of 40 x 24");
}

TEST_CASE("room and memory") {
  const temporary_folder folder;
  CHECK(support::room_findings(folder.path() / "not" / "yet").front().state != health::problem);
  CHECK(support::room_findings("/proc/none").front().state == health::problem);
  CHECK(support::memory_findings(std::uint64_t{100} << 20).front().state == health::problem);
  CHECK(support::memory_findings(std::uint64_t{1} << 30).front().state == health::warning);
  CHECK(support::memory_findings(std::uint64_t{8} << 30).front().state == health::ok);
  CHECK(support::usable_processors() >= 1);
  CHECK(support::available_memory() > 0);
}

TEST_CASE("memory of a container: files that the kernel keeps give way") {
  const temporary_folder folder;
  constexpr auto none = std::numeric_limits<std::uint64_t>::max();
  CHECK(support::available_in_container(folder.path()) == none);
  folder.write("memory.max", "max\n");
  CHECK(support::available_in_container(folder.path()) == none);
  folder.write("memory.max", "1000\n");
  CHECK(support::available_in_container(folder.path()) == 1000);
  folder.write("memory.current", "990\n");
  CHECK(support::available_in_container(folder.path()) == 10);
  folder.write("memory.stat", "anon 100\nfile 890\nactive_file 300\ninactive_file 500\n");
  CHECK(support::available_in_container(folder.path()) == 810);
  folder.write("memory.stat", "inactive_file 5000\n");
  CHECK(support::available_in_container(folder.path()) == 1000);
  folder.write("memory.current", "2000\n");
  folder.write("memory.stat", "");
  CHECK(support::available_in_container(folder.path()) == 0);
}

TEST_CASE("findings as text and as JSON") {
  const findings all{{health::ok, "a", "x"}, {health::warning, "longer", "y", "do it"}};
  CHECK(support::to_text(all) == "ok       a       x\nwarning  longer  y\n                 -> do it\n");
  CHECK(support::to_json(all)["would_run"] == true);
  CHECK(support::to_json(all)["findings"][1]["advice"] == "do it");
  CHECK(support::to_json({{health::problem, "a", "x"}})["would_run"] == false);
}

}  // namespace doctor_test
