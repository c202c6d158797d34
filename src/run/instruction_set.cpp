#include "run/instruction_set.hpp"

#include "error/error.hpp"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <mpi.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace scoreact {

const char* const kHowToFixInstructionSets =
    "ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=AVX2 in the environment of all ranks, "
    "from the start of a run, fixes the instructions; OMP_NUM_THREADS the threads";

namespace {

/// Maker and widest vectors: what MKL and oneDNN look at.
std::string processor_kind() {
#ifdef __x86_64__
  std::array<unsigned, 4> words{}; // eax, ebx, ecx, edx
  if (__get_cpuid(0, words.data(), &words[1], &words[2], &words[3]) == 0)
    return "x86_64";
  std::array<char, 13> maker{}; // in ebx, edx, ecx
  std::memcpy(maker.data(), &words[1], 4);
  std::memcpy(maker.data() + 4, &words[3], 4);
  std::memcpy(maker.data() + 8, &words[2], 4);
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const char* const widest = avx512 ? "AVX512" : __builtin_cpu_supports("avx2") ? "AVX2" : "SSE";
  return fmt::format("{} {}", maker.data(), widest);
#else
  return processor_name();
#endif
}

/// Value of a variable that holds a library to one choice, "" if it leaves the choice to the library.
std::string fixed_by(const char* variable) {
  const char* const value = std::getenv(variable);
  const std::string text = value == nullptr ? "" : value;
  return text == "AUTO" || text == "ALL" || text == "DEFAULT" ? "" : text;
}

/// MKL heeds other values than COMPATIBLE on processors of Intel alone (oneMKL, "Specifying Code Branches").
std::string chosen_by_mkl() {
  const std::string processor = processor_kind(), fixed = fixed_by("MKL_CBWR");
  const bool heeded = fixed.ends_with("COMPATIBLE") || processor.starts_with("GenuineIntel");
  return !fixed.empty() && heeded ? fixed : processor;
}

std::string chosen_by_onednn() {
  const std::string fixed = fixed_by("ONEDNN_MAX_CPU_ISA");
  return fixed.empty() ? processor_kind() : fixed;
}

} // namespace

std::string instruction_set() {
  std::string text = "LibTorch " + at::get_cpu_capability();
  if (at::hasMKL())
    text += ", MKL " + chosen_by_mkl();
  if (at::hasMKLDNN())
    text += ", oneDNN " + chosen_by_onednn();
  if (at::get_num_threads() > 1)
    text += fmt::format(", {} threads", at::get_num_threads());
  return text;
}

std::string processor_name() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown";
}

std::string different_instruction_sets(const Communicator& ranks) {
  const std::string mine = instruction_set();
  std::string first = mine;
  ranks.broadcast(first);
  const int other = static_cast<int>(ranks.maximum(mine == first ? 0 : ranks.rank()));
  if (other == 0)
    return "";
  const auto described = [&](int who) {
    std::array<char, MPI_MAX_PROCESSOR_NAME> node{};
    int length = 0;
    SCOREACT_CHECK_MPI(MPI_Get_processor_name(node.data(), &length));
    std::string text = fmt::format("{} with {}", node.data(), mine);
    ranks.broadcast(text, who);
    return text;
  };
  const std::string one = described(0), another = described(other);
  return fmt::format("rank 0 on {} and rank {} on {}", one, other, another);
}

} // namespace scoreact
