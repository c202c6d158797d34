/// config.json and scheduler_config.json of model folders. Input: the text, read as any network's and as a
/// scheduler's.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "models/pixel_unet/unet_config.hpp"
#include "models/scheduler_config.hpp"
#include "models/stable_diffusion/unet2d_condition_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const std::string config = (folder / "config.json").string();
  static const std::string copy = (folder / "copy.json").string();
  static const std::string root = (folder / "").string();
  fuzz::put_bytes(config, fuzz::as_text(data, size));
  fuzz::put_bytes(folder / "scheduler_config.json", fuzz::as_text(data, size));
  UnetConfig unet;
  if (fuzz::result_or_error([&] { unet = read_unet_config(config); })) {
    write_unet_config(unet, copy);
    fuzz::require(fuzz::result_or_error([&] { read_unet_config(copy); }),
                  "what is written of a network's config is read again");
  }
  fuzz::result_or_error([&] {
    fuzz::require(read_unet2d_condition_config(config).time_width() > 0, "an embedding of times has a width");
  });
  fuzz::result_or_error([&] {
    const double last = read_scheduler_config(root).schedule.abar(1);
    fuzz::require(last > 0 && last < 1, "the schedule ends between data and noise");
  });
  return 0;
}
