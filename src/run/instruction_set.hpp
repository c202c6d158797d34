#pragma once
/// Which machine instructions compute, and how many threads of a rank. LibTorch and the libraries under it
/// choose their code by the processor that they find, and another code adds up in another order: the same
/// deck then rounds differently (docs/architecture.md, "The same bits on any number of ranks").
#include "parallel/communicator.hpp"

#include <string>

namespace scoreact {

/// What was chosen for this process, e.g. "LibTorch AVX2, MKL GenuineIntel AVX512, oneDNN AVX2, 2 threads"
/// (one thread is not named): LibTorch's own kernels (ATEN_CPU_CAPABILITY), matrix products (MKL_CBWR) and
/// convolutions (ONEDNN_MAX_CPU_ISA). A library that the environment does not hold to one choice takes what
/// suits the processor, which then stands there.
std::string instruction_set();

/// Name of the processor as the system tells it, "unknown" if it does not.
std::string processor_name();

/// How the ranks differ in it: "rank 0 on NODE computes with ..., rank 3 on NODE with ..."; "" if they do
/// not. Collective.
std::string different_instruction_sets(const Communicator&);

/// What a user can do about it, for warnings.
extern const char* const kHowToFixInstructionSets;

} // namespace scoreact
