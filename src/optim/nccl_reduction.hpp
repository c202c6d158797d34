#pragma once
/// Gradient sums by NCCL. The communicator is started and used without blocking: every call is polled for
/// errors and for the patience of the Communicator, and aborted on the first error, so that a rank that is
/// gone ends the others with its name and not with a hang. In a build without CUDA, nccl_serves is false.
#include "optim/gradient_reduction.hpp"

namespace scoreact {

/// True if this build has NCCL and no two ranks are on the same GPU (NCCL refuses that). Collective for CUDA
/// devices.
bool nccl_serves(const Communicator&, const at::Device&);

/// Rank 0 makes the id, MPI spreads it, then a barrier: no rank may connect before all know it. Collective.
/// Throws Error{internal} with NCCL's own words, Error{io} for ranks that did not come.
std::shared_ptr<GradientReduction> make_nccl_reduction(const Communicator&, const at::Device&);

} // namespace scoreact
