#include "store/run_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

std::map<std::string, double> row(long epoch) {
  std::map<std::string, double> values;
  for (const MetricInfo& info : run_metrics())
    values[info.name] = static_cast<double>(epoch) / 3;
  values["epoch"] = static_cast<double>(epoch);
  return values;
}

const Attributes kAttributes{
    {"deck", std::string(100'000, 'd')}, {"ranks", std::int64_t{4}}, {"version", std::string("0.1")}};

TEST(RunFile, HoldsAnEmptyEpochColumnAsSoonAsItAppears) {
  const TemporaryFolder folder;
  RunFile::create(folder / "run.h5", kAttributes);
  const Hdf5File file = open_hdf5(folder / "run.h5");
  EXPECT_EQ(Hdf5Values(file.id(), "run.h5").shape("metrics/epoch"), std::vector<std::int64_t>{0});
}

TEST(RunFile, WithAnyBitTurnedIsRefusedBeforeHdf5SeesIt) {
  const TemporaryFolder folder;
  RunFile::create(folder / "run.h5", {{"deck", std::string("[run]")}}).record(row(1));
  const std::string good = bytes_of(folder / "run.h5");
  EXPECT_EQ(RunFile::open(folder / "run.h5").epochs(), 1);
  std::mt19937 chance(5);
  for (int i = 0; i < 200; ++i) {
    std::string bad = good;
    char& byte = bad[chance() % (good.size() - 16)]; // 16: the seal itself
    byte = static_cast<char>(byte ^ (1 << chance() % 8));
    put_bytes(folder / "run.h5", bad);
    expect_error(ExitCode::data, "checksum", [&] { RunFile::open(folder / "run.h5"); });
  }
  put_bytes(folder / "run.h5", good.substr(0, good.size() - 16)); // as other programs leave it
  EXPECT_EQ(RunFile::open(folder / "run.h5").epochs(), 1);
}

TEST(RunFile, GivesBackWhatWasRecorded) {
  const TemporaryFolder folder;
  RunFile run = RunFile::create(folder / "run.h5", kAttributes);
  run.record(row(1));
  run.record(row(2), {{"host_memory_peak", 5e8}});
  EvaluationTable table{
      {1, 2}, {10, 50, 50}, {"ddim", "ddim", "euler_maruyama"}, {}, {{"num_samples", std::int64_t{64}}}};
  for (const char* name : {"reward_mean", "reward_stderr", "kl_path", "fid"})
    table.tables[name] = {1, 2, 3, 4, 5, NAN};
  run.set_evaluation(table);
  run.set_prompts({"a fox", "ein M\u00e4dchen"});
  run.write();

  const RunFile again = RunFile::open(folder / "run.h5");
  EXPECT_EQ(again.epochs(), 2);
  EXPECT_EQ(again.metrics().size(), run_metrics().size());
  for (const MetricInfo& info : run_metrics())
    EXPECT_EQ(again.column(info.name), run.column(info.name));
  EXPECT_TRUE(std::isnan(again.column("host_memory_peak")[0]));
  EXPECT_EQ(again.column("host_memory_peak")[1], 5e8);
  EXPECT_EQ(std::get<std::string>(again.attributes().at("deck")).size(), 100'000u);
  EXPECT_EQ(std::get<std::int64_t>(again.attributes().at("ranks")), 4);
  EXPECT_EQ(std::get<std::string>(again.attributes().at("format")), "scoreact-run");
  EXPECT_EQ(again.prompts(), run.prompts());
  EXPECT_EQ(again.evaluation().solvers, table.solvers);
  EXPECT_EQ(again.evaluation().tables.at("fid")[3], 4);
  EXPECT_EQ(std::get<std::int64_t>(again.evaluation().attributes.at("num_samples")), 64);
  for (const MetricInfo& info : again.metrics()) {
    if (info.name == "kl_path") {
      EXPECT_EQ(info.units, "nat");
    }
  }
}

TEST(RunFile, WritesTheSameBytesForTheSameContent) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directory(folder / name);
    RunFile run = RunFile::create(folder / name / "run.h5", kAttributes);
    run.record(row(1));
    run.record(row(2));
    if (name[0] == 'b')
      std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    run.write();
  }
  EXPECT_EQ(bytes_of(folder / "a" / "run.h5"), bytes_of(folder / "b" / "run.h5"));
}

TEST(RunFile, RefusesARowWithAMissingOrAnUndeclaredMetric) {
  const TemporaryFolder folder;
  RunFile run = RunFile::create(folder / "run.h5", {});
  auto values = row(1);
  values.erase("grad_norm");
  expect_error(ExitCode::internal, "'grad_norm' was not given", [&] { run.record(values); });
  values = row(1);
  values["luck"] = 1;
  expect_error(ExitCode::internal, "'luck' was not declared", [&] { run.record(values); });
  EXPECT_EQ(run.epochs(), 0);
}

TEST(RunFile, ForgetsWhatCameAfterTheCheckpoint) {
  const TemporaryFolder folder;
  RunFile run = RunFile::create(folder / "run.h5", {});
  for (long epoch = 1; epoch <= 5; ++epoch)
    run.record(row(epoch), {{"restarts", 0}});
  EvaluationTable table{{2, 4}, {10}, {"ddim"}, {}, {}};
  for (const char* name : {"reward_mean", "reward_stderr", "kl_path"})
    table.tables[name] = {20, 40};
  run.set_evaluation(table);
  run.truncate_to(3);
  EXPECT_EQ(run.epochs(), 3);
  EXPECT_EQ(run.column("restarts").size(), 3u);
  EXPECT_EQ(run.evaluation().epochs, std::vector<std::int64_t>{2});
  EXPECT_EQ(run.evaluation().tables.at("kl_path"), std::vector<double>{20});
  run.record(row(4), {{"restarts", 1}});
  EXPECT_EQ(RunFile::open(folder / "run.h5").column("epoch"), (std::vector<double>{1, 2, 3, 4}));
  expect_error(ExitCode::data, "holds 4 epochs", [&] { run.truncate_to(9); });
}

TEST(RunFile, RefusesWhatIsNoRunFile) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "no such file", [&] { RunFile::open(folder / "run.h5"); });
  put_bytes(folder / "run.h5", "not HDF5 at all");
  expect_error(ExitCode::data, "not a readable HDF5 file", [&] { RunFile::open(folder / "run.h5"); });
}

TEST(RunFile, OpensAndHoldsEveryRecordedEpochAfterKill9AtAnyMoment) {
  const TemporaryFolder folder;
  std::mt19937 random(7);
  for (int trial = 0; trial < 30; ++trial) {
    const auto path = folder / fmt::format("run{}.h5", trial);
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(told[0]);
      RunFile run = RunFile::create(path, kAttributes);
      for (long epoch = 1;; ++epoch) {
        run.record(row(epoch));
        if (::write(told[1], "+", 1) != 1)
          ::_exit(1); // only now may the parent count on the epoch
      }
    }
    ::close(told[1]);
    char first;
    ASSERT_EQ(::read(told[0], &first, 1), 1);
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution<>(0, 30'000)(random)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ::waitpid(child, nullptr, 0);
    long recorded = 1;
    for (char more; ::read(told[0], &more, 1) == 1;)
      ++recorded;
    ::close(told[0]);
    const RunFile run = RunFile::open(path);
    EXPECT_GE(run.epochs(), recorded);
    EXPECT_LE(run.epochs(), recorded + 1);
    for (long epoch = 1; epoch <= run.epochs(); ++epoch) {
      EXPECT_EQ(run.column("epoch")[static_cast<std::size_t>(epoch) - 1], static_cast<double>(epoch));
    }
  }
}

TEST(RunFile, StaysIntactWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  RunFile run = RunFile::create(folder / "run.h5", {});
  run.record(row(1));
  const std::string before = bytes_of(folder / "run.h5");
  // a file size limit makes write() fail in the middle, as a full disk does
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{4096, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  expect_error(ExitCode::io, "run.h5.tmp: cannot write", [&] { run.record(row(2)); });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(bytes_of(folder / "run.h5"), before);
  EXPECT_FALSE(std::filesystem::exists(folder / "run.h5.tmp"));
  EXPECT_EQ(run.epochs(), 1);
  run.record(row(2));
  EXPECT_EQ(RunFile::open(folder / "run.h5").epochs(), 2);
}

} // namespace
} // namespace scoreact
