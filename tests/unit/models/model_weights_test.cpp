#include "models/json_file.hpp"
#include "models/weights.hpp"
#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

std::string folder_of(const TemporaryFolder& folder) { return folder.path().string(); }

at::Tensor ramp(long n) { return torch::arange(n, torch::kFloat) / 3; }

TEST(ReadWeights, TensorsAreViewsThatOutliveTheFileAndMayBeWritten) {
  const TemporaryFolder folder;
  const std::string path = (folder / "w.safetensors").string();
  write_weights(path, {{"a", ramp(5)}, {"none", torch::zeros({0, 3})}});
  auto tensors = read_weights(path);
  write_weights(path, {{"a", torch::zeros(5)}});
  EXPECT_TRUE(torch::equal(tensors.at("a"), ramp(5)));
  EXPECT_EQ(tensors.at("none").sizes(), (std::vector<long>{0, 3}));
  tensors.at("a").mul_(2);
  EXPECT_TRUE(torch::equal(tensors.at("a"), ramp(5) * 2));
  EXPECT_TRUE(torch::equal(read_weights(path).at("a"), torch::zeros(5)));
}

TEST(ReadWeights, HalfPrecisionIsWidenedExactlyWhenItIsLoaded) {
  const TemporaryFolder folder;
  const std::string path = (folder / "w.safetensors").string();
  const at::Tensor half = torch::randn({7}).to(torch::kHalf), bfloat = torch::randn({7}).to(torch::kBFloat16);
  write_weights(path, {{"a", half}, {"b", bfloat}});
  const at::Tensor a = torch::zeros({7}), b = torch::zeros({7});
  load_weights({{"a", a}, {"b", b}}, path);
  EXPECT_TRUE(torch::equal(a, half.to(torch::kFloat)));
  EXPECT_TRUE(torch::equal(b, bfloat.to(torch::kFloat)));
}

TEST(ModelWeights, TheFullFileComesBeforeShardsAndVariants) {
  const TemporaryFolder folder;
  const auto value = [&] { return read_model_weights(folder_of(folder), "model").at("a").item<float>(); };
  const auto put = [&](const std::string& name, float x) {
    write_weights((folder / name).string(), {{"a", torch::full({}, x)}});
  };
  put("model.non_ema.safetensors", 1);
  EXPECT_EQ(value(), 1);
  put("model.fp16.safetensors", 2);
  EXPECT_EQ(value(), 2);
  put("model-00001-of-00001.safetensors", 3);
  put_bytes(folder / "model.safetensors.index.json",
            R"({"metadata": {"total_size": 4}, "weight_map": {"a": "model-00001-of-00001.safetensors"}})");
  EXPECT_EQ(value(), 3);
  put("model.safetensors", 4);
  EXPECT_EQ(value(), 4);
}

TEST(ModelWeights, ShardsAreJoined) {
  const TemporaryFolder folder;
  write_weights((folder / "m-1.safetensors").string(), {{"a", ramp(2)}, {"b", ramp(3)}});
  write_weights((folder / "m-2.safetensors").string(), {{"c", ramp(4)}});
  const auto index = [&](const std::string& map) {
    put_bytes(folder / "m.safetensors.index.json", R"({"weight_map": )" + map + "}");
  };
  const auto read = [&] { return read_model_weights(folder_of(folder), "m"); };
  index(R"({"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"})");
  EXPECT_EQ(read().size(), 3);
  EXPECT_TRUE(torch::equal(read().at("c"), ramp(4)));
  EXPECT_EQ(model_weight_file(folder_of(folder), "m"), (folder / "m.safetensors.index.json").string());

  index(
      R"({"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors", "d": "m-2.safetensors"})");
  expect_error(ExitCode::data, "no tensor d", read);
  index(R"({"a": "m-1.safetensors", "c": "m-2.safetensors"})");
  expect_error(ExitCode::data, "tensor b", read);
  index(R"({"a": "../m-1.safetensors"})");
  expect_error(ExitCode::data, "beside the index", read);
  index(R"({"a": 3})");
  expect_error(ExitCode::data, "expected a file name, found 3", read);
  index("[]");
  expect_error(ExitCode::data, "weight_map", read);
  index(R"({"a": "m-3.safetensors"})");
  expect_error(ExitCode::missing_input, "m-3.safetensors", read);
}

TEST(ModelWeights, PicklesComeLastAndAreReadByContent) {
  const TemporaryFolder folder;
  const auto put_torch = [&](const std::string& name) {
    std::filesystem::copy_file(testing_support::source_path("tests/data/torch/zip.pth"), folder / name);
  };
  put_torch("pytorch_model.bin");
  const at::Tensor base = torch::arange(24, torch::kFloat).view({4, 6}) / 8;
  const auto tensors = read_model_weights(folder_of(folder), "model");
  EXPECT_TRUE(torch::equal(tensors.at("float"), base));
  EXPECT_TRUE(torch::equal(tensors.at("transposed"), base.t()));
  EXPECT_TRUE(torch::equal(tensors.at("part"), base.slice(0, 1, 3).slice(1, 2, 5)));
  EXPECT_TRUE(torch::equal(tensors.at("bfloat").to(torch::kFloat), torch::tensor({1.0F, -3.0F})));
  EXPECT_EQ(tensors.at("empty").sizes(), (std::vector<long>{0, 4}));
  put_torch("net.bin");
  EXPECT_EQ(model_weight_file(folder_of(folder), "net"), (folder / "net.bin").string());
  write_weights((folder / "net.fp16.safetensors").string(), {{"a", ramp(2)}});
  EXPECT_EQ(read_model_weights(folder_of(folder), "net").size(), 1);
}

TEST(ModelWeights, SaysWhatWasLookedFor) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "expected one of model.safetensors, model.safetensors.index.json",
               [&] { read_model_weights(folder_of(folder), "model"); });
}

} // namespace
} // namespace scoreact
