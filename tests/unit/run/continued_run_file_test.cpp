#include "run/continued_run_file.hpp"

#include <gtest/gtest.h>

#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;
using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

const std::vector<MetricInfo> kMetrics{{"epoch", "1", "epoch"}, {"reward_mean", "reward", "mean"}};

/// A run file of `epochs` epochs whose rewards are `scale` times the epoch.
void write_run(const fs::path& path, long epochs, double scale = 1) {
  RunFile file = RunFile::create(path, {{"deck", std::string("[run]\n")}}, kMetrics);
  for (long epoch = 1; epoch <= epochs; ++epoch)
    file.record({{"epoch", static_cast<double>(epoch)}, {"reward_mean", scale * static_cast<double>(epoch)}});
}

class ContinuedRunFile : public testing::Test {
 protected:
  std::optional<RunFile> go_on(long epochs) {
    return continue_run_file(run_, copy_, epochs,
                             [this](const std::string& line) { warnings_.push_back(line); });
  }

  TemporaryFolder folder_;
  fs::path run_ = folder_ / "run.h5", copy_ = folder_ / "copy.h5";
  std::vector<std::string> warnings_;
};

TEST_F(ContinuedRunFile, IsTheOneAtHandWithoutTheRowsAfterTheCheckpoint) {
  write_run(run_, 5);
  write_run(copy_, 3);
  const auto file = go_on(3);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->epochs(), 3);
  EXPECT_EQ(RunFile::open(run_).epochs(), 5); // on the disk until the next epoch is recorded
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(ContinuedRunFile, IsTheCheckpointsCopyWhenItIsGoneUnreadableOrOther) {
  write_run(copy_, 3);
  const auto expect_copy = [this](bool kept) {
    const auto file = go_on(3);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->path(), run_);
    EXPECT_EQ(file->column("reward_mean"), (std::vector<double>{1, 2, 3}));
    EXPECT_EQ(bytes_of(run_), bytes_of(copy_));
    EXPECT_EQ(fs::exists(folder_ / "run.h5.damaged"), kept);
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_NE(warnings_[0].find("epochs 1 to 3 are taken from"), std::string::npos) << warnings_[0];
    warnings_.clear();
    fs::remove(folder_ / "run.h5.damaged");
  };
  expect_copy(false);
  put_bytes(run_, "not HDF5");
  expect_copy(true);
  write_run(run_, 2); // an epoch is missing
  expect_copy(true);
  write_run(run_, 4, 1.5); // another run's
  expect_copy(true);
}

TEST_F(ContinuedRunFile, IsRefusedWhenItIsDamagedAndTheCheckpointHasNoCopy) {
  put_bytes(run_, "not HDF5");
  expect_error(ExitCode::data, "no copy of it", [&] { go_on(3); });
  EXPECT_EQ(bytes_of(run_), "not HDF5");
  fs::remove(run_);
  expect_error(ExitCode::data, "no copy of it", [&] { go_on(3); });
}

TEST_F(ContinuedRunFile, IsMadeAnewWhereNothingWasFinished) {
  EXPECT_FALSE(go_on(0));
  EXPECT_TRUE(warnings_.empty());
  put_bytes(run_, "not HDF5");
  EXPECT_FALSE(go_on(0));
  EXPECT_EQ(warnings_.size(), 1u);
  EXPECT_EQ(bytes_of(folder_ / "run.h5.damaged"), "not HDF5");
  write_run(run_, 2); // no checkpoint was reached
  const auto file = go_on(0);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->epochs(), 0);
}

} // namespace
} // namespace scoreact
