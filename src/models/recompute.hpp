#pragma once
/// Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): a segment of a network that keeps its inputs
/// only and computes everything again in the backward pass.
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace scoreact {

/// A function of tensors; it may use further tensors, the parameters below among them. It is called again
/// later, so what it captures has to stay valid and unchanged.
using Segment = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

/// segment(inputs), with gradients to `inputs` and to those of `parameters` that require one; works however
/// few of them do. Inputs may be undefined. Differentiable once; without gradients it is a plain call.
at::Tensor recomputed(const Segment& segment, const std::vector<at::Tensor>& inputs,
                      const std::vector<at::Tensor>& parameters);

} // namespace scoreact
