#pragma once
/// One pass of one network under the names of the original Python forward, for comparing with any other
/// implementation (scoreact forward). A network has one line in the table of forward_pass.cpp.
#include "models/weights.hpp"

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace scoreact {

/// The tensors of an input file. Floating-point ones become fp32, integers and booleans int64, on `device`.
class ForwardInputs {
 public:
  /// @param differentiable whether floating-point tensors record a graph. @param lora file or folder that a
  /// U-Net takes on top of its weights; may be empty. Throws Error{missing_input | data}.
  ForwardInputs(const std::string& path, bool differentiable, c10::Device device, std::string lora = {});
  bool contains(const std::string& name) const { return tensors_.count(name) > 0; }
  /// Undefined if the file has no such tensor.
  at::Tensor optional(const std::string& name);
  /// Throws Error{data} that names the tensors found instead.
  at::Tensor required(const std::string& name);
  /// [rows] from a scalar, [1] or [rows]: one number stands for the whole batch, as in diffusers.
  at::Tensor required_for_rows(const std::string& name, long rows);
  /// Throws Error{data} unless every name is one of `known`.
  void require_known(const std::vector<std::string>& known) const;
  const std::string& lora() const { return lora_; }
  /// Parameters of the network that shall have a gradient too.
  void differentiate(const NamedTensors& parameters);
  /// The floating-point tensors that were asked for, by name, as they stand in the file, and the parameters:
  /// what has a gradient.
  const NamedTensors& differentiated() const { return differentiated_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool differentiable_;
  c10::Device device_;
  std::string lora_;
  std::map<std::string, at::Tensor> tensors_;
  NamedTensors differentiated_;
};

struct ForwardNetwork {
  std::string name; ///< class in config.json, or the weight file that marks a folder without one
  std::vector<std::string> inputs; ///< every name that it takes
  bool takes_lora = false;
  /// Loads the network of the folder and runs it once; the main output first.
  NamedTensors (*pass)(const std::string& directory, ForwardInputs&, c10::Device);
};

/// The network in a folder; a pipeline's folder stands for its unet. `directory` becomes the network's own
/// folder. Throws Error{missing_input | data}, naming the networks that are known.
const ForwardNetwork& forward_network(std::string& directory);

} // namespace scoreact
