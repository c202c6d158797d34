#include "command.hpp"

#include "models/json_file.hpp"
#include "models/pixel_unet/pixel_unet.hpp"
#include "models/weights.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>
#include <map>

namespace scoreact {
namespace {

/// The tensors of the input file, taken out by name so that what nobody takes can be reported.
class Inputs {
 public:
  explicit Inputs(const std::string& path) : path_(path), tensors_(read_weights(path)) {}

  /// Undefined if the file has no such tensor.
  at::Tensor optional(const std::string& name) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      return {};
    }
    at::Tensor tensor = found->second;
    tensors_.erase(found);
    return tensor;
  }

  at::Tensor required(const std::string& name) {
    at::Tensor tensor = optional(name);
    std::string others;
    for (const auto& [other, unused] : tensors_)
      others += fmt::format("{}\"{}\"", others.empty() ? "" : ", ", other);
    SCOREACT_REQUIRE(tensor.defined(), ExitCode::data, "{}: expected a tensor \"{}\", found {}", path_, name,
                     others.empty() ? "no other" : others);
    return tensor;
  }

  void require_all_taken() const {
    SCOREACT_REQUIRE(tensors_.empty(), ExitCode::data, "{}: unexpected tensor \"{}\"", path_,
                     tensors_.begin()->first);
  }

 private:
  std::string path_;
  std::map<std::string, at::Tensor> tensors_;
};

/// A scalar or [1] stands for the whole batch, as in diffusers.
at::Tensor for_batch(const at::Tensor& values, long batch, const std::string& name) {
  const at::Tensor flat = values.flatten();
  SCOREACT_REQUIRE(flat.numel() == 1 || flat.numel() == batch, ExitCode::data,
                   "{}: expected 1 or {} numbers, as many as samples, found {}", name, batch, flat.numel());
  return flat.expand({batch}).contiguous();
}

/// One pass of UNet2DModel: sample, timestep, class_labels -> sample.
NamedTensors forward_unet2d(const std::string& directory, Inputs& inputs, bool grad, c10::Device device) {
  ScheduleOptions any_schedule; // the network alone does not need one; a bare network folder has none
  any_schedule.kind = "linear";
  const auto model = PixelUnet::load(directory, any_schedule, device);
  const at::Tensor given = inputs.required("sample");
  SCOREACT_REQUIRE(given.dim() == 4, ExitCode::data,
                   "sample: expected [batch, channels, height, width], found {} axes", given.dim());
  at::Tensor sample = given.to(device, torch::kFloat32);
  const at::Tensor time = inputs.required("timestep");
  at::Tensor timestep = for_batch(time, sample.size(0), "timestep").to(device, torch::kFloat32);
  at::Tensor labels = inputs.optional("class_labels");
  if (labels.defined()) {
    SCOREACT_REQUIRE(model->config().num_class_embeds, ExitCode::data,
                     "class_labels: this model has no class embedding (num_class_embeds is null)");
    labels = for_batch(labels, sample.size(0), "class_labels").to(device, torch::kInt64);
    SCOREACT_REQUIRE(
        labels.min().item<long>() >= 0 && labels.max().item<long>() < *model->config().num_class_embeds,
        ExitCode::data, "class_labels: expected numbers from 0 to {}", *model->config().num_class_embeds - 1);
  }
  const at::Tensor cotangent = grad ? inputs.required("cotangent").to(device, torch::kFloat32) : at::Tensor();
  inputs.require_all_taken();
  const bool time_gradient = grad && time.is_floating_point();
  sample.requires_grad_(grad);
  timestep.requires_grad_(time_gradient);
  torch::AutoGradMode grad_mode(grad);
  const at::Tensor output = model->forward(sample, timestep, labels);
  NamedTensors results = {{"sample", output}};
  if (grad) {
    SCOREACT_REQUIRE(cotangent.sizes() == output.sizes(), ExitCode::data,
                     "cotangent: expected the shape of the output, [{}], found [{}]",
                     fmt::join(output.sizes().vec(), ", "), fmt::join(cotangent.sizes().vec(), ", "));
    const std::vector<at::Tensor> wanted =
        time_gradient ? std::vector<at::Tensor>{sample, timestep} : std::vector<at::Tensor>{sample};
    const auto gradients = torch::autograd::grad({output}, wanted, {cotangent});
    results.emplace_back("grad.sample", gradients[0]);
    if (time_gradient) {
      const bool broadcast = time.numel() == 1 && sample.size(0) > 1;
      results.emplace_back(
          "grad.timestep",
          (broadcast ? gradients[1].sum() : gradients[1]).reshape(time.sizes()).contiguous());
    }
  }
  return results;
}

} // namespace

ExitCode run_forward(const Invocation& invocation) {
  const std::filesystem::path directory(invocation.target);
  const bool nested = std::filesystem::exists(directory / "unet" / "config.json");
  const std::string path = ((nested ? directory / "unet" : directory) / "config.json").string();
  const nlohmann::json config = read_json(path);
  const auto class_name = json_value<std::string>(config, "_class_name", "", path);
  SCOREACT_REQUIRE(class_name == "UNet2DModel", ExitCode::data,
                   "{}: expected _class_name UNet2DModel, found \"{}\": this network is not supported", path,
                   class_name);
  const c10::Device device =
      invocation.device_id >= 0 ? c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(invocation.device_id))
                                : c10::Device(c10::kCPU);
  Inputs inputs(invocation.forward.inputs);
  const NamedTensors results = forward_unet2d(invocation.target, inputs, invocation.forward.grad, device);
  write_weights(invocation.out, results);
  if (!invocation.quiet) {
    fmt::print("{}: {} -> {}\n", class_name, invocation.forward.inputs, invocation.out);
  }
  return ExitCode::success;
}

} // namespace scoreact
