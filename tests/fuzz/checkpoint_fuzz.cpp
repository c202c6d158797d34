/// The file DONE of a checkpoint, beside files that it may or may not describe. Input: DONE.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/checkpoint.hpp"

namespace {

/// A small checkpoint, the same bytes at each start.
std::filesystem::path example(const scoreact::fuzz::ScratchFolder& folder) {
  using scoreact::DType;
  static const float weights[] = {0.5f, -1.0f, 2.0f};
  static const std::int64_t steps[] = {3};
  scoreact::CheckpointContent content;
  content.policy = {{"w", {DType::f32, {3}, weights}}};
  content.optimizer = {{"policy/first", {DType::f32, {3}, weights}},
                       {"policy/steps", {DType::i64, {1}, steps}}};
  content.state = {{"epoch", 1}};
  scoreact::write_checkpoint(folder / "checkpoints", 1, content, 0);
  return folder / "checkpoints" / "epoch_000001";
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const std::filesystem::path checkpoint = example(folder);
  fuzz::put_bytes(checkpoint / "DONE", fuzz::as_text(data, size));
  fuzz::result_or_error([&] {
    const LoadedCheckpoint loaded = open_checkpoint(checkpoint);
    fuzz::require(loaded.policy().names().size() == 1 && !loaded.value() &&
                      loaded.optimizer_floats("policy/first").size() == 3,
                  "a checkpoint that DONE vouches for is the one that was written");
  });
  latest_checkpoint(folder / "checkpoints", [](const std::string& warning) {
    fuzz::require(!warning.empty(), "a checkpoint that is passed over has a reason");
  });
  return 0;
}
