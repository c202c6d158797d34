#include "store/checkpoint.hpp"

#include <gtest/gtest.h>

#include "store/run_directory.hpp"
#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

namespace fs = std::filesystem;
using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

/// Writes the checkpoint of an epoch whose numbers are the epoch's.
void write(const fs::path& checkpoints, long epoch, long keep = 0, bool with_value = true) {
  const std::vector<float> weights(50, static_cast<float>(epoch));
  const std::vector<double> moments{0.1 * static_cast<double>(epoch), 2};
  const std::int64_t step = 10 * epoch;
  CheckpointContent content;
  content.policy = {{"conv.weight", {DType::f32, {5, 10}, weights.data()}}};
  if (with_value)
    content.value = {{"head", {DType::f32, {50}, weights.data()}}};
  content.optimizer = {{"policy/first_moment", {DType::f32, {50}, weights.data()}},
                       {"policy/step", {DType::i64, {}, &step}},
                       {"statistics", {DType::f64, {2}, moments.data()}}};
  content.state = {{"epoch", epoch}, {"deck", "[run]\n"}};
  write_checkpoint(checkpoints, epoch, content, keep);
}

std::vector<long> epochs_in(const fs::path& checkpoints) {
  std::vector<long> epochs;
  for (const auto& [epoch, folder] : list_checkpoints(checkpoints))
    epochs.push_back(epoch);
  return epochs;
}

TEST(Checkpoint, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  write(folder / "checkpoints", 20);
  const auto loaded =
      latest_checkpoint(folder / "checkpoints", [](const std::string& line) { ADD_FAILURE() << line; });
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->epoch(), 20);
  EXPECT_EQ(loaded->folder().filename(), "epoch_000020");
  EXPECT_EQ(loaded->state()["deck"], "[run]\n");
  EXPECT_EQ(static_cast<const float*>(loaded->policy().at("conv.weight").data)[49], 20.0f);
  ASSERT_TRUE(loaded->value());
  EXPECT_TRUE(loaded->value()->contains("head"));
  EXPECT_EQ(loaded->optimizer_floats("policy/first_moment"), std::vector<float>(50, 20.0f));
  EXPECT_EQ(loaded->optimizer_integers("policy/step"), std::vector<std::int64_t>{200});
  EXPECT_EQ(loaded->optimizer_doubles("statistics"), (std::vector<double>{0.1 * 20, 2}));
  EXPECT_TRUE(loaded->has_optimizer("policy/step"));
  EXPECT_FALSE(loaded->has_optimizer("value/step"));
  expect_error(ExitCode::data, "is F64, expected F32", [&] { loaded->optimizer_floats("statistics"); });
  EXPECT_EQ(fs::read_symlink(folder / "checkpoints" / "latest"), "epoch_000020");
}

TEST(Checkpoint, IsWithoutAValueFileWhereThereIsNoValueNetwork) {
  const TemporaryFolder folder;
  write(folder.path(), 1, 0, false);
  EXPECT_FALSE(open_checkpoint(folder / "epoch_000001").value());
}

TEST(Checkpoint, KeepsTheNewestOnesAndClearsWhatAKilledProcessLeft) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "epoch_000002.tmp");
  for (long epoch = 1; epoch <= 5; ++epoch)
    write(folder.path(), epoch, 2);
  EXPECT_EQ(epochs_in(folder.path()), (std::vector<long>{4, 5}));
  EXPECT_FALSE(fs::exists(folder / "epoch_000002.tmp"));
  write(folder.path(), 5, 2);
  EXPECT_EQ(epochs_in(folder.path()), (std::vector<long>{4, 5}));
}

TEST(Checkpoint, IsNothingWhereThereIsNone) {
  const TemporaryFolder folder;
  EXPECT_FALSE(latest_checkpoint(folder / "checkpoints", nullptr));
  expect_error(ExitCode::missing_input, "no such folder", [&] { open_checkpoint(folder / "epoch_000001"); });
}

TEST(Checkpoint, IsPassedOverWhenDamagedInAnyWay) {
  const TemporaryFolder folder;
  write(folder.path(), 1);
  const fs::path newest = folder / "epoch_000002";
  const auto expect_older = [&](const std::string& what) {
    std::vector<std::string> warnings;
    const auto loaded =
        latest_checkpoint(folder.path(), [&](const std::string& line) { warnings.push_back(line); });
    ASSERT_TRUE(loaded) << what;
    EXPECT_EQ(loaded->epoch(), 1) << what;
    ASSERT_EQ(warnings.size(), 1u) << what;
    EXPECT_NE(warnings[0].find(what), std::string::npos) << warnings[0];
    EXPECT_NE(warnings[0].find("epoch_000002"), std::string::npos) << warnings[0];
    EXPECT_NE(checkpoint_damage(newest).find(what), std::string::npos);
    expect_error(ExitCode::data, what, [&] { open_checkpoint(newest); });
  };
  for (const std::string name :
       {"policy.safetensors", "value.safetensors", "optimizer.h5", "state.json", "DONE"}) {
    SCOPED_TRACE(name);
    write(folder.path(), 2);
    ASSERT_EQ(checkpoint_damage(newest), "");
    fs::remove(newest / name);
    expect_older(name);

    write(folder.path(), 2);
    const std::string good = bytes_of(newest / name);
    put_bytes(newest / name, good.substr(0, good.size() / 2));
    expect_older(name);

    write(folder.path(), 2);
    std::string flipped = good;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
    put_bytes(newest / name, flipped);
    expect_older(name == "DONE" ? "" : name); // a flipped digest blames the file that it belongs to
  }
}

TEST(Checkpoint, IsPassedOverWhenItsDigestIsNonsense) {
  const TemporaryFolder folder;
  write(folder.path(), 1);
  const std::string good = bytes_of(folder / "epoch_000001" / "DONE");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    put_bytes(folder / "epoch_000001" / "DONE", changed.replace(at, from.size(), to));
    return checkpoint_damage(folder / "epoch_000001");
  };
  EXPECT_NE(with("\"scoreact-checkpoint\"", "1").find("DONE is damaged"), std::string::npos);
  EXPECT_NE(
      with("\"format_version\": 1", "\"format_version\": \"x\"").find("format_version \"x\", expected 1"),
      std::string::npos);
  EXPECT_NE(with("\"epoch\": 1", "\"epoch\": 18446744073709551615").find("DONE is damaged"),
            std::string::npos);
  EXPECT_NE(with("\"value.safetensors\"", "\"../value.safetensors\"").find("no file of the checkpoint"),
            std::string::npos);
  EXPECT_NE(with("{", std::string(100000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_EQ(with("{", "{"), "");
}

TEST(Checkpoint, SetsAsideWhatIsNewerThanTheOneThatARunGoesOnFrom) {
  const TemporaryFolder folder;
  for (long epoch = 1; epoch <= 4; ++epoch)
    write(folder.path(), epoch);
  set_aside_newer(folder.path(), 2);
  EXPECT_EQ(epochs_in(folder.path()), (std::vector<long>{1, 2}));
  EXPECT_TRUE(fs::exists(folder / "epoch_000003.damaged"));
  EXPECT_EQ(fs::read_symlink(folder / "latest"), "epoch_000002");
  write(folder.path(), 3, 2);
  EXPECT_EQ(epochs_in(folder.path()), (std::vector<long>{2, 3}));
  EXPECT_FALSE(fs::exists(folder / "epoch_000003.damaged"));
  EXPECT_FALSE(fs::exists(folder / "epoch_000004.damaged"));
}

TEST(Checkpoint, HoldsCopiesOfOtherFilesUnderTheirDigest) {
  const TemporaryFolder folder;
  put_bytes(folder / "run.h5", "metrics so far");
  CheckpointContent content;
  content.copies = {folder / "run.h5"};
  write_checkpoint(folder / "checkpoints", 1, content, 0);
  const fs::path copy = folder / "checkpoints/epoch_000001/run.h5";
  EXPECT_EQ(bytes_of(copy), "metrics so far");
  EXPECT_EQ(checkpoint_damage(copy.parent_path()), "");
  put_bytes(copy, "metrics so fat");
  EXPECT_NE(checkpoint_damage(copy.parent_path()).find("run.h5 is damaged"), std::string::npos);
}

TEST(Checkpoint, LeavesTheOlderOneAloneWhenItCannotBeWritten) {
  const TemporaryFolder folder;
  write(folder.path(), 1);
  put_bytes(folder / "epoch_000002.tmp", "a file where the folder should be");
  expect_error(ExitCode::io, "epoch_000002", [&] { write(folder.path(), 2); });
  const auto loaded = latest_checkpoint(folder.path(), nullptr);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->epoch(), 1);
}

} // namespace
} // namespace scoreact
