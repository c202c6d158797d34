/// Model folders' JSON that is damaged or hostile: what nlohmann::json, a shift or `new` would stumble over
/// is an error that names the key.
#include "models/pixel_unet/unet_config.hpp"
#include "models/scheduler_config.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

TEST(DamagedConfig, OfASchedulerIsRefusedByKey) {
  const TemporaryFolder folder;
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {R"({"num_train_timesteps": 1000000000000000})", "num_train_timesteps must be"},
           {R"({"num_train_timesteps": 1e300})", "num_train_timesteps: unexpected value"},
           {R"({"num_train_timesteps": 1000.5})", "num_train_timesteps: unexpected value 1000.5"},
           {R"({"steps_offset": 18446744073709551615})", "steps_offset: unexpected value"},
           {R"({"steps_offset": 1000})", "steps_offset must lie in"},
           {R"({"trained_betas": [0.1, "x"]})", "trained_betas: unexpected value"},
           {R"({"beta_start": )" + std::string(100000, '[') + std::string(100000, ']') + "}",
            "nested deeper"}}) {
    put_bytes(folder / "scheduler_config.json", text);
    expect_error(ExitCode::data, message, [&] { read_scheduler_config(folder.path().string()); });
  }
}

TEST(DamagedConfig, OfANetworkIsRefusedByKey) {
  const TemporaryFolder folder;
  nlohmann::json good{{"_class_name", "UNet2DModel"},
                      {"sample_size", 8},
                      {"in_channels", 1},
                      {"out_channels", 1},
                      {"block_out_channels", {8, 16}},
                      {"down_block_types", {"DownBlock2D", "DownBlock2D"}},
                      {"norm_num_groups", 4},
                      {"up_block_types", {"UpBlock2D", "UpBlock2D"}}};
  const std::string path = (folder / "config.json").string();
  put_bytes(path, good.dump());
  EXPECT_EQ(read_unet_config(path).block_out_channels, (std::vector<long>{8, 16}));
  const auto refused = [&](const char* key, const nlohmann::json& value, const std::string& message) {
    SCOPED_TRACE(message);
    nlohmann::json bad = good;
    bad[key] = value;
    put_bytes(path, bad.dump());
    expect_error(ExitCode::data, message, [&] { read_unet_config(path); });
  };
  refused("in_channels", 1.5, "in_channels: unexpected value 1.5");
  refused("layers_per_block", 1L << 40, "layers_per_block must lie in");
  refused("block_out_channels", {8.0, 16.0}, "block_out_channels: unexpected value");
  refused("sample_size", 0, "sample_size must lie in 1 ..");
  refused("sample_size", {8, -8}, "sample_size must lie in 1 ..");
  refused("freq_shift", 4, "freq_shift must lie in 0 .. 3"); // a division by 0 in the time embedding
  refused("time_embedding_dim", -1, "time_embedding_dim must lie in");
  refused("norm_eps", 0.0, "norm_eps and mid_block_scale_factor must be positive");
  const std::vector<std::string> down(70, "DownBlock2D"), up(70, "UpBlock2D");
  good["down_block_types"] = down;
  good["up_block_types"] = up;
  refused("block_out_channels", std::vector<long>(70, 8), "number of levels must lie in");
}

} // namespace
} // namespace scoreact
