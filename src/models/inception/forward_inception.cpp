#include "models/inception/forward_inception.hpp"

#include "error/error.hpp"
#include "models/inception/inception_fid.hpp"
#include "models/inception/inception_input.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

namespace scoreact {

NamedTensors forward_inception(const std::string& directory, ForwardInputs& inputs, c10::Device device) {
  const auto network = InceptionFid::load(directory, device);
  const at::Tensor inp = inputs.required("inp");
  SCOREACT_REQUIRE(
      inp.dim() == 4 && inp.size(1) == 3 && inp.is_floating_point(), ExitCode::data,
      "inp: expected pictures [n, 3, height, width] as floating-point numbers from 0 to 1, found [{}]",
      fmt::join(inp.sizes().vec(), ", "));
  const at::Tensor features = network->features(pytorch_fid_input(inp));
  return {{"features", features}, {"logits", network->logits(features)}};
}

} // namespace scoreact
