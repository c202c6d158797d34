#include "optim/gradient_reduction.hpp"

#include "optim/nccl_reduction.hpp"
#include "parallel/device_memory.hpp"

#include <torch/torch.h>

#include <map>

#ifdef SCOREACT_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace scoreact {

namespace {

class OneRank final : public GradientReduction {
 public:
  void start(const at::Tensor&) override {}
  void finish() override {}
  std::string name() const override { return "on one rank"; }
};

/// MPI on memory that it can read: the host's, or the device's if it is made for that.
class InPlace final : public GradientReduction {
 public:
  InPlace(const Communicator& ranks, bool on_device) : ranks_(ranks), on_device_(on_device) {}
  void start(const at::Tensor& gradient) override {
#ifdef SCOREACT_WITH_CUDA
    if (on_device_) // MPI knows nothing of streams
      c10::cuda::getCurrentCUDAStream(gradient.get_device()).synchronize();
#endif
    ranks_.sum(gradient.data_ptr<float>(), static_cast<std::size_t>(gradient.numel()));
  }
  void finish() override {}
  std::string name() const override { return on_device_ ? "by MPI from device memory" : "by MPI"; }

 private:
  const Communicator& ranks_;
  bool on_device_;
};

/// CUDA memory and an MPI that knows the host's only.
class Staged final : public GradientReduction {
 public:
  explicit Staged(const Communicator& ranks) : ranks_(ranks) {}
  void start(const at::Tensor& gradient) override {
    if (!host_.defined() || host_.numel() < gradient.numel())
      host_ = at::empty({gradient.numel()}, at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
    const at::Tensor host = host_.narrow(0, 0, gradient.numel());
    torch::NoGradGuard no_grad;
    host.copy_(gradient); // waits for the current stream
    ranks_.sum(host.data_ptr<float>(), static_cast<std::size_t>(host.numel()));
    at::Tensor(gradient).copy_(host);
  }
  void finish() override {}
  std::string name() const override { return "by MPI through pinned host memory"; }

 private:
  const Communicator& ranks_;
  at::Tensor host_; ///< pinned, as large as the largest gradient so far
};

std::shared_ptr<GradientReduction> choose(const Communicator& ranks, const at::Device& device) {
  if (ranks.size() == 1)
    return std::make_shared<OneRank>();
  if (!device.is_cuda())
    return std::make_shared<InPlace>(ranks, false);
  if (nccl_serves(ranks, device))
    return make_nccl_reduction(ranks, device);
  if (mpi_sums_device_memory())
    return std::make_shared<InPlace>(ranks, true);
  return std::make_shared<Staged>(ranks);
}

} // namespace

std::shared_ptr<GradientReduction> gradient_reduction(const Communicator& ranks, const at::Device& device) {
  // a NCCL communicator takes memory on the device: one for all optimisers; whoever uses it keeps it alive
  static std::map<std::pair<const Communicator*, std::string>, std::weak_ptr<GradientReduction>> in_use;
  std::erase_if(in_use, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<GradientReduction>& known = in_use[{&ranks, device.str()}];
  std::shared_ptr<GradientReduction> reduction = known.lock();
  if (!reduction) {
    reduction = choose(ranks, device);
    known = reduction;
  }
  return reduction;
}

} // namespace scoreact
