#pragma once
/// The order in memory that convolutions on tensor cores read: channel last, torch's channels_last.
/// LibTorch's convolutions give their output in the order of their weights, so that only weights are turned.
#include <torch/nn/module.h>

namespace scoreact {

/// Lays out every [out, in, H, W] weight of a frozen network with `in` last. Values, names and sizes stay.
void to_channels_last(torch::nn::Module& network);

/// Does to_channels_last where it pays: on a CUDA device with weights in bfloat16, or in float32 with
/// run.precision = "tf32". Not on the host, whose fused kernels
/// read channels first, nor for fp32.
void to_channels_last_on_tensor_cores(torch::nn::Module& network);

} // namespace scoreact
