#pragma once
/// From a model and its deck to the parts of a run: what rewards know, device.
#include "models/denoiser.hpp"
#include "rewards/reward.hpp"

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

/// What rewards know of the model. Latents are decoded `decoded_together` at a time: a divisor of the
/// rollout's micro-batch, so that the bits do not depend on the number of ranks, which judge all samples that
/// they drew in one call. The value is asked a micro-batch at a time, over all its times.
RewardContext reward_context(const std::shared_ptr<Denoiser>&, const std::vector<std::string>& prompts,
                             long sample_micro_batch, c10::Device);

/// The device of this rank: the host for a negative id.
c10::Device device_of(int device_id);

} // namespace scoreact
