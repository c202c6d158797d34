#include "optim/nccl_reduction.hpp"

#include "error/error.hpp"

#ifdef SCOREACT_WITH_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>
#include <exception>
#include <set>
#endif

namespace scoreact {

#ifdef SCOREACT_WITH_CUDA

namespace {

void check_nccl(ncclResult_t status, ncclComm_t comm, const char* call) {
  SCOREACT_REQUIRE(status == ncclSuccess || status == ncclInProgress, ExitCode::internal,
                   "{} failed: {}; NCCL says \"{}\" (NCCL_DEBUG=INFO tells more)", call,
                   ncclGetErrorString(status), ncclGetLastError(comm));
}

class NcclReduction final : public GradientReduction {
 public:
  NcclReduction(const Communicator& ranks, const at::Device& device)
      : ranks_(ranks), device_(device),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())) {
    const c10::cuda::CUDAGuard on(device);
    guarded([&] { connect(); });
  }

  ~NcclReduction() override {
    if (comm_ == nullptr)
      return;
    const c10::cuda::CUDAGuard on(device_);
    if (std::uncaught_exceptions() > 0) { // the others may never come
      ncclCommAbort(comm_);
      return;
    }
    try {
      stream_.synchronize();
      check_nccl(ncclCommFinalize(comm_), comm_, "ncclCommFinalize");
      settle("end of NCCL");
      ncclCommDestroy(comm_);
    } catch (const std::exception&) { // another rank is gone, and the run ends with that message
      ncclCommAbort(comm_);
    }
  }

  void start(const at::Tensor& slice) override {
    const c10::cuda::CUDAGuard on(device_);
    float* values = slice.data_ptr<float>();
    guarded([&] {
      ready_.record(c10::cuda::getCurrentCUDAStream(device_.index()));
      ready_.block(stream_);
      check_nccl(ncclAllReduce(values, values, static_cast<std::size_t>(slice.numel()), ncclFloat, ncclSum,
                               comm_, stream_.stream()),
                 comm_, "ncclAllReduce");
      settle("sum of gradients");
    });
  }

  void finish() override {
    const c10::cuda::CUDAGuard on(device_);
    guarded([&] {
      summed_.record(stream_);
      summed_.block(c10::cuda::getCurrentCUDAStream(device_.index()));
      // the next read of a number would wait for ever for a rank that is gone; here the wait has a limit
      ranks_.wait_until(
          [&] {
            progress();
            return summed_.query();
          },
          "sum of gradients");
    });
  }

  void abandon() override {
    if (comm_ != nullptr)
      ncclCommAbort(comm_);
    comm_ = nullptr;
  }

  /// Slices start from autograd's thread of the device, which then polls MPI.
  bool works_by_itself() const override {
    int threads = MPI_THREAD_SINGLE;
    return MPI_Query_thread(&threads) == MPI_SUCCESS && threads >= MPI_THREAD_SERIALIZED;
  }

  std::string name() const override {
    int version = 0;
    ncclGetVersion(&version);
    return fmt::format("by NCCL {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
  }

 private:
  void connect() {
    ncclUniqueId id{};
    std::string text(sizeof id, '\0');
    ranks_.together([&] {
      if (ranks_.root()) {
        check_nccl(ncclGetUniqueId(&id), nullptr, "ncclGetUniqueId");
        std::memcpy(text.data(), &id, sizeof id);
      }
    });
    ranks_.broadcast(text);
    std::memcpy(&id, text.data(), sizeof id);
    ranks_.barrier();
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    check_nccl(ncclCommInitRankConfig(&comm_, ranks_.size(), id, ranks_.rank(), &config), comm_,
               "ncclCommInitRankConfig");
    settle("start of NCCL");
    connected_ = true;
  }

  /// The state of what was called last; throws if it failed, or if another rank's failure was noticed.
  ncclResult_t progress() {
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(comm_, &state), comm_, "ncclCommGetAsyncError");
    check_nccl(state, comm_, "NCCL");
    return state;
  }

  /// Waits until the last call has been taken, which a communicator that does not block needs.
  void settle(const char* what) {
    ranks_.wait_until([&] { return progress() != ncclInProgress; }, what);
  }

  /// Runs `work`; if it throws, NCCL's kernels that wait for others are ended with the communicator.
  template <class Work> void guarded(const Work& work) {
    SCOREACT_REQUIRE(comm_ != nullptr || !connected_, ExitCode::internal,
                     "NCCL was given up after an earlier failure");
    try {
      work();
    } catch (...) {
      abandon();
      throw;
    }
  }

  const Communicator& ranks_;
  at::Device device_;
  c10::cuda::CUDAStream stream_;
  ncclComm_t comm_ = nullptr;
  bool connected_ = false;
  at::cuda::CUDAEvent ready_, summed_;
};

} // namespace

bool nccl_serves(const Communicator& ranks, const at::Device& device) {
  cudaDeviceProp properties{};
  const cudaError_t status = cudaGetDeviceProperties(&properties, device.index());
  SCOREACT_REQUIRE(status == cudaSuccess, ExitCode::internal, "cudaGetDeviceProperties failed: {}",
                   cudaGetErrorString(status));
  std::vector<double> mine; // the 16 bytes that name the GPU, whatever number it has in this process
  for (const char byte : properties.uuid.bytes)
    mine.push_back(static_cast<unsigned char>(byte));
  const std::vector<double> all = ranks.gather_in_order(mine);
  std::set<std::vector<double>> gpus;
  const auto bytes = static_cast<std::ptrdiff_t>(mine.size());
  for (auto name = all.begin(); name != all.end(); name += bytes)
    gpus.emplace(name, name + bytes);
  return gpus.size() == static_cast<std::size_t>(ranks.size());
}

std::shared_ptr<GradientReduction> make_nccl_reduction(const Communicator& ranks, const at::Device& device) {
  return std::make_shared<NcclReduction>(ranks, device);
}

#else

bool nccl_serves(const Communicator&, const at::Device&) { return false; }

std::shared_ptr<GradientReduction> make_nccl_reduction(const Communicator&, const at::Device&) {
  SCOREACT_FAIL(ExitCode::internal, "NCCL was asked for in a build without CUDA");
}

#endif

} // namespace scoreact
