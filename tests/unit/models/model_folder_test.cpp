#include "models/model_folder.hpp"

#include "unit/store/temporary_folder.hpp"

#include <cstdlib>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

/// A cache with one model, as huggingface_hub lays it out, in HF_HUB_CACHE.
class Cache {
 public:
  Cache() {
    std::filesystem::create_directories(repository() / "snapshots" / "abc123");
    std::filesystem::create_directories(repository() / "refs");
    put_bytes(repository() / "refs" / "main", "abc123");
    ::setenv("HF_HUB_CACHE", folder_.path().c_str(), 1);
  }
  ~Cache() { ::unsetenv("HF_HUB_CACHE"); }
  std::filesystem::path repository() const { return folder_ / "models--org--a-model_1.5"; }
  std::string snapshot() const { return (repository() / "snapshots" / "abc123").string(); }

 private:
  TemporaryFolder folder_;
};

TEST(ModelFolder, NamesOfTheHubAreFoundInTheCache) {
  const Cache cache;
  EXPECT_EQ(resolve_model_folder("org/a-model_1.5"), cache.snapshot());
  EXPECT_EQ(resolve_model_folder("hf:org/a-model_1.5"), cache.snapshot());
  EXPECT_EQ(resolve_model_folder("hf:org/a-model_1.5@abc123"), cache.snapshot());
  put_bytes(cache.repository() / "refs" / "fp16", "abc123");
  EXPECT_EQ(resolve_model_folder("org/a-model_1.5@fp16"), cache.snapshot());
}

TEST(ModelFolder, HfHomeHoldsTheCacheToo) {
  const TemporaryFolder home;
  const auto snapshot = home / "hub/models--a--b/snapshots/c";
  std::filesystem::create_directories(snapshot);
  ::unsetenv("HF_HUB_CACHE");
  ::setenv("HF_HOME", home.path().c_str(), 1);
  EXPECT_EQ(resolve_model_folder("a/b@c"), snapshot.string());
  ::unsetenv("HF_HOME");
}

TEST(ModelFolder, FoldersAndUnknownNamesStayAsTheyAre) {
  const Cache cache;
  EXPECT_EQ(resolve_model_folder(cache.snapshot()), cache.snapshot());
  EXPECT_EQ(resolve_model_folder("runs/none"), "runs/none");
  EXPECT_EQ(resolve_model_folder("../a/b/c"), "../a/b/c");
}

TEST(ModelFolder, SaysWhatTheCacheLacks) {
  const Cache cache;
  expect_error(ExitCode::missing_input, "huggingface-cli download org/other",
               [] { resolve_model_folder("hf:org/other"); });
  expect_error(ExitCode::missing_input, "no snapshot of revision v2",
               [] { resolve_model_folder("org/a-model_1.5@v2"); });
  expect_error(ExitCode::missing_input, "expected hf:ORG/NAME", [] { resolve_model_folder("hf:../../etc"); });
  put_bytes(cache.repository() / "refs" / "main", "../../../..");
  expect_error(ExitCode::missing_input, "no snapshot of revision main",
               [] { resolve_model_folder("hf:org/a-model_1.5"); });
}

TEST(ModelIndex, AcceptsScalarsAndNullsAndRefusesFlax) {
  const TemporaryFolder folder;
  const auto check = [&](const std::string& text) {
    put_bytes(folder / "model_index.json", text);
    check_model_index(folder.path().string());
  };
  EXPECT_NO_THROW(check_model_index(folder.path().string()));
  EXPECT_NO_THROW(check(R"({"_class_name": "StableDiffusionPipeline", "requires_safety_checker": true,
    "safety_checker": [null, null], "image_encoder": null, "unet": ["diffusers", "UNet2DConditionModel"]})"));
  expect_error(ExitCode::data, "Flax weights",
               [&] { check(R"({"_class_name": "FlaxStableDiffusionPipeline"})"); });
  expect_error(ExitCode::data, "FlaxAutoencoderKL: this folder holds Flax weights", [&] {
    check(R"({"_class_name": "StableDiffusionPipeline", "vae": ["diffusers", "FlaxAutoencoderKL"]})");
  });
  expect_error(ExitCode::data, "expected StableDiffusionPipeline, found StableDiffusionXLPipeline",
               [&] { check(R"({"_class_name": "StableDiffusionXLPipeline"})"); });
  expect_error(ExitCode::data, "found none", [&] { check("{}"); });
}

} // namespace
} // namespace scoreact
