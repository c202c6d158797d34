#include "kernels/runtime.hpp"

#include "kernels/detail/execution.hpp"

namespace scoreact::kernels {

namespace {
void initialise_kokkos(int threads, int device_id) {
#if KOKKOS_VERSION >= 30700
  Kokkos::InitializationSettings settings;
  if (threads >= 1) {
    settings.set_num_threads(threads);
  }
  if (device_id >= 0) {
    settings.set_device_id(device_id);
  }
  settings.set_disable_warnings(true);
#else
  Kokkos::InitArguments settings;
  settings.num_threads = threads >= 1 ? threads : -1;
  settings.device_id = device_id >= 0 ? device_id : -1;
  settings.disable_warnings = true;
#endif
  Kokkos::initialize(settings);
}
} // namespace

Runtime::Runtime(int threads, int device_id) {
  if (!Kokkos::is_initialized()) {
    initialise_kokkos(threads, device_id);
    owner_ = true;
  }
}

Runtime::~Runtime() {
  detail::clear_instances();
  if (owner_) {
    Kokkos::finalize();
  }
}

bool kernels_run_on_device() {
#ifdef KOKKOS_ENABLE_CUDA
  return true;
#else
  return false;
#endif
}

std::string kokkos_version() {
  return std::to_string(KOKKOS_VERSION / 10000) + "." + std::to_string(KOKKOS_VERSION / 100 % 100) + "." +
         std::to_string(KOKKOS_VERSION % 100);
}

std::string configuration() {
  return "Kokkos " + kokkos_version() + ", kernels on " + Kokkos::DefaultExecutionSpace::name() + ", host " +
         Kokkos::DefaultHostExecutionSpace::name() + " with " +
         std::to_string(Kokkos::DefaultHostExecutionSpace().concurrency()) + " thread(s)";
}

} // namespace scoreact::kernels
