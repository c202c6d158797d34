#pragma once
/// Initial noise of other programs, number for number: what their published pictures begin with.
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace scoreact {

/// torch.Generator("cpu").manual_seed(seed).
at::Generator torch_generator(std::uint64_t seed);

/// torch.randn(shape, generator=generator), fp32 on the host: what diffusers' randn_tensor draws with a
/// generator of the CPU, all samples at once. The bits are those of torch on a processor with the same
/// vector instructions: torch takes other sines and logarithms with AVX2 than without.
at::Tensor torch_noise(at::Generator generator, const std::vector<std::int64_t>& shape);

/// numpy.random.RandomState(seed).standard_normal(shape), rounded to fp32: the Mersenne twister and the polar
/// method of Marsaglia and Bray. seed < 2^32.
at::Tensor numpy_noise(std::uint32_t seed, const std::vector<std::int64_t>& shape);

} // namespace scoreact
