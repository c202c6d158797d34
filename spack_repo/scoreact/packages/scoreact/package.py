from pathlib import Path

from spack_repo.builtin.build_systems.cmake import CMakePackage
from spack_repo.builtin.build_systems.cuda import CudaPackage

from spack.package import *


class Scoreact(CMakePackage, CudaPackage):
    """Fine-tunes diffusion models by continuous-time reinforcement learning (Score as Action, CTRL)."""

    license("BSD-3-Clause")

    # Built from the checkout that spack.yaml names with `develop`.
    version("main")

    variant("tests", default=False, description="Build the tests and benchmarks")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    generator("ninja")

    depends_on("mpi")
    depends_on("hdf5@1.10: +mpi")
    depends_on("kokkos@3.4: ~cuda +serial", when="~cuda")
    depends_on("py-torch@2.7: ~cuda", when="~cuda")
    depends_on("nlohmann-json@3.11:")
    depends_on("fmt@9:")
    depends_on("tomlplusplus@3.3:")
    depends_on("cli11@2.1:")
    depends_on("libpng")
    depends_on("jpeg")
    depends_on("zlib-api")
    depends_on("googletest +gmock", when="+tests", type=("build", "link"))
    depends_on("benchmark", when="+tests", type=("build", "link"))
    depends_on("python@3.11:", when="+tests", type=("build", "test"))
    depends_on("py-h5py", when="+tests", type=("build", "test"))
    depends_on("py-matplotlib", when="+tests", type=("build", "test"))
    depends_on("py-pillow", when="+tests", type=("build", "test"))
    depends_on("py-pytest", when="+tests", type=("build", "test"))
    depends_on("py-jsonschema", when="+tests", type=("build", "test"))
    depends_on("py-pyyaml", when="+tests", type=("build", "test"))

    # CUDA 13 needs Kokkos 4.7.1, which with GCC refuses +cuda alone: +cmake_lang has nvcc called by CMake.
    # All of Kokkos, torch and scoreact must mean the same GPUs.
    conflicts("cuda_arch=none", when="+cuda", msg="say which GPU, for example cuda_arch=90")
    depends_on("nccl", when="+cuda")
    requires("^kokkos+cuda_lambda", when="+cuda ^kokkos@:4")  # off by default; Kokkos 5 always has it
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"kokkos@4.7.01: +cuda +serial +cmake_lang cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
        depends_on(f"py-torch@2.7: +cuda +nccl cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")

    def cmake_args(self):
        # py-torch names .../torch/share/cmake; headers and libraries lie in .../torch.
        torch = Path(self["py-torch"].cmake_prefix_paths[0]).parent.parent
        return [
            self.define("Torch_ROOT", str(torch)),
            self.define("SCOREACT_ENABLE_CUDA", "ON" if self.spec.satisfies("+cuda") else "OFF"),
            self.define("SCOREACT_ARCH", ""),  # Spack's compiler wrapper says -march, from `target`
            self.define_from_variant("SCOREACT_BUILD_TESTS", "tests"),
            self.define("SCOREACT_BUILD_FUZZERS", "OFF"),
        ]
