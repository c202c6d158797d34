#pragma once
/// From a rollout in memory to trajectories/epoch_000012.h5.
#include "parallel/communicator.hpp"
#include "rl/score_policy.hpp"
#include "rl/trajectories.hpp"
#include "store/store_options.hpp"

#include <filesystem>
#include <string>

namespace scoreact {

/// Whether [store] asks for this epoch's trajectories: "none", "all" or "every:N". Throws Error{data} for
/// anything else.
bool stores_epoch(const std::string& trajectories, long epoch);

/// Collective. With options.means the policy and pretrained means and both KL terms of every step are
/// evaluated and written; otherwise KL terms are NaN where the algorithm did not evaluate them.
void write_trajectories(const std::filesystem::path&, Trajectories&, ScorePolicy&, const StoreOptions&,
                        double kl_weight, long samples_per_call, const Communicator&,
                        const std::string& deck);

} // namespace scoreact
