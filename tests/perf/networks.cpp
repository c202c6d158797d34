/// Seconds that one network takes, for tests/perf/networks_beside_python.py, which gives the inputs and times
/// the Python original beside it:
///     bench_networks NETWORK FOLDER IN.safetensors PASSES
/// prints one number a line, in the order of the passes. One pass before them is not counted.
#include "models/clip/clip_text.hpp"
#include "models/clip/clip_vision.hpp"
#include "models/image_reward/image_reward.hpp"
#include "models/inception/inception_fid.hpp"
#include "models/inception/inception_input.hpp"
#include "models/pixel_unet/pixel_unet.hpp"
#include "models/stable_diffusion/autoencoder_kl.hpp"
#include "models/stable_diffusion/lora.hpp"
#include "models/stable_diffusion/unet2d_condition.hpp"
#include "models/weights.hpp"
#include "parallel/stopwatch.hpp"

#include "error/error.hpp"
#include "kernels/runtime.hpp"

#include <malloc.h>
#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

namespace scoreact {
namespace {

using Inputs = std::map<std::string, at::Tensor>;
using Pass = std::function<void()>;

Pass unet(const std::string& folder, const Inputs& x) {
  const auto network = UNet2DCondition::load(folder);
  return [=] { network->forward(x.at("sample"), x.at("timestep"), x.at("encoder_hidden_states")); };
}

/// Forward and backward, gradients of the LoRA only.
Pass unet_lora(const std::string& folder, const Inputs& x) {
  const auto network = UNet2DCondition::load(folder);
  add_lora(*network, {});
  std::vector<at::Tensor> wanted;
  for (const auto& [name, tensor] : lora_parameters(*network))
    wanted.push_back(tensor);
  return [=] {
    const torch::AutoGradMode grad(true);
    const at::Tensor output =
        network->forward(x.at("sample"), x.at("timestep"), x.at("encoder_hidden_states"));
    torch::autograd::grad({output}, wanted, {x.at("cotangent")});
  };
}

std::shared_ptr<PixelUnet> load_pixel_unet(const std::string& folder) {
  ScheduleOptions any;
  any.kind = "linear";
  return PixelUnet::load(folder, any, c10::Device(c10::kCPU));
}

/// As a rollout calls it: a class for every row.
Pass pixel_unet(const std::string& folder, const Inputs& x) {
  const auto network = load_pixel_unet(folder);
  return [=] { network->forward(x.at("sample"), x.at("timestep"), x.at("class_labels")); };
}

/// As an update does: forward and backward, gradients of all weights.
Pass pixel_unet_backward(const std::string& folder, const Inputs& x) {
  const auto network = load_pixel_unet(folder);
  std::vector<at::Tensor> wanted;
  for (const auto& [name, tensor] : network->named_parameters())
    wanted.push_back(tensor.requires_grad_());
  return [=] {
    const torch::AutoGradMode grad(true);
    const at::Tensor output = network->forward(x.at("sample"), x.at("timestep"), x.at("class_labels"));
    torch::autograd::grad({output}, wanted, {x.at("cotangent")});
  };
}

Pass vae(const std::string& folder, const Inputs& x) {
  const auto network = AutoencoderKL::load(folder);
  return [=] { network->decode(x.at("latents")); };
}

Pass clip_text(const std::string& folder, const Inputs& x) {
  const auto network = ClipText::load(folder, c10::Device(c10::kCPU));
  return [=] { network->forward(x.at("input_ids")); };
}

Pass clip_vision(const std::string& folder, const Inputs& x) {
  const auto network = ClipVision::load(folder, c10::Device(c10::kCPU));
  return [=] { network->forward(x.at("pixel_values")); };
}

Pass image_reward(const std::string& folder, const Inputs& x) {
  const auto network = ImageReward::load(folder, c10::Device(c10::kCPU));
  return [=] { network->forward(x.at("pixel_values"), x.at("input_ids"), x.at("attention_mask")); };
}

Pass inception(const std::string& folder, const Inputs& x) {
  const auto network = InceptionFid::load(folder, c10::Device(c10::kCPU));
  return [=] { network->features(pytorch_fid_input(x.at("inp"))); };
}

int run(int argc, char** argv) {
  const std::map<std::string, Pass (*)(const std::string&, const Inputs&)> networks = {
      {"unet", unet},
      {"unet_lora", unet_lora},
      {"vae", vae},
      {"pixel_unet", pixel_unet},
      {"pixel_unet_backward", pixel_unet_backward},
      {"clip_text", clip_text},
      {"clip_vision", clip_vision},
      {"image_reward", image_reward},
      {"inception", inception}};
  SCOREACT_REQUIRE(argc == 5 && networks.count(argv[1]) > 0, ExitCode::usage,
                   "usage: bench_networks NETWORK FOLDER IN.safetensors PASSES");
  const char* const threads = std::getenv("OMP_NUM_THREADS");
  const int count = threads ? std::atoi(threads) : 1;
  const kernels::Runtime kokkos(count);
  at::set_num_threads(count);
  torch::NoGradGuard no_grad;
  const Pass pass = networks.at(argv[1])(argv[2], read_weights(argv[3]));
  pass();
  for (int i = 0; i < std::atoi(argv[4]); ++i) {
    const Stopwatch clock;
    pass();
    std::printf("%.6f\n", clock.elapsed());
  }
  return 0;
}

} // namespace
} // namespace scoreact

int main(int argc, char** argv) {
#ifdef __GLIBC__ // as drivers/main.cpp
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
  try {
    return scoreact::run(argc, argv);
  } catch (const scoreact::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
}
