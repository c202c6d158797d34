"""The Spack package and the CMake presets say what CMakeLists.txt understands."""

import json
import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CMAKE = "\n".join(p.read_text() for p in [ROOT / "CMakeLists.txt", *sorted((ROOT / "src/cmake").glob("*.cmake"))])
CMAKE = re.sub(r"#.*", "", CMAKE)
OPTIONS = set(re.findall(r"^\s*option\((SCOREACT_\w+)", CMAKE, re.MULTILINE)) | set(
    re.findall(r"^\s*set\((SCOREACT_\w+)[^\n]* CACHE ", CMAKE, re.MULTILINE)
)


class Recorder(dict):
    """Stands for Spack's directives: records each call by its name."""

    def directive(self, name):
        return lambda *args, **options: self.setdefault(name, []).append((args, options))


class FakePackage:
    def define(self, name, value):
        return f"-D{name}={value}"

    def define_from_variant(self, name, variant):
        return f"-D{name}={'ON' if variant in self.on else 'OFF'}"

    def __getitem__(self, dependency):
        return types.SimpleNamespace(cmake_prefix_paths=[f"/prefix/{dependency}/torch/share/cmake"])


@pytest.fixture
def spack(monkeypatch):
    calls = Recorder()
    package = types.ModuleType("spack.package")
    for name in ("license", "version", "variant", "depends_on", "conflicts", "requires", "generator"):
        setattr(package, name, calls.directive(name))
    modules = {
        "spack": types.ModuleType("spack"),
        "spack.package": package,
        "spack_repo.builtin.build_systems.cmake": types.SimpleNamespace(CMakePackage=FakePackage),
        "spack_repo.builtin.build_systems.cuda": types.SimpleNamespace(
            CudaPackage=type("CudaPackage", (), {"cuda_arch_values": ("80", "90")})
        ),
    }
    for part in ("spack_repo", "spack_repo.builtin", "spack_repo.builtin.build_systems"):
        modules[part] = types.ModuleType(part)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    made = runpy.run_path(str(ROOT / "spack_repo/scoreact/packages/scoreact/package.py"))["Scoreact"]
    return made, calls


def arguments(made, *on):
    package = made()
    package.on = on
    package.spec = types.SimpleNamespace(satisfies=lambda text: text == "+cuda" and "cuda" in on)
    return dict(a[2:].split("=", 1) for a in package.cmake_args())


def test_cmake_knows_every_option_that_spack_sets_and_spack_sets_every_option(spack):
    made, _ = spack
    assert {name for name in arguments(made) if name.startswith("SCOREACT_")} == OPTIONS


def test_variants_reach_cmake(spack):
    made, calls = spack
    assert [args[0] for args, _ in calls["variant"]] == ["tests"]
    plain, full = arguments(made), arguments(made, "tests", "cuda")
    assert (plain["SCOREACT_BUILD_TESTS"], plain["SCOREACT_ENABLE_CUDA"]) == ("OFF", "OFF")
    assert (full["SCOREACT_BUILD_TESTS"], full["SCOREACT_ENABLE_CUDA"]) == ("ON", "ON")
    assert full["Torch_ROOT"] == "/prefix/py-torch/torch"


def test_cuda_architecture_reaches_kokkos_and_torch(spack):
    _, calls = spack
    for architecture in ("80", "90"):
        for library in ("kokkos", "py-torch"):
            assert any(
                args[0].startswith(library) and args[0].endswith(f"cuda_arch={architecture}")
                and options.get("when") == f"+cuda cuda_arch={architecture}"
                for args, options in calls["depends_on"]
            ), (library, architecture)


def test_every_library_that_cmake_looks_for_is_a_spack_dependency(spack):
    spack_names = {
        "Kokkos": "kokkos", "MPI": "mpi", "HDF5": "hdf5", "fmt": "fmt", "nlohmann_json": "nlohmann-json",
        "ZLIB": "zlib-api", "PNG": "libpng", "JPEG": "jpeg", "CLI11": "cli11", "LibTorch": "py-torch",
        "CUDAToolkit": "nccl",
    }  # fmt: skip
    wanted = set(re.findall(r"find_package\((\w+)", CMAKE))
    _, calls = spack
    given = {re.split(r"[@ ]", args[0])[0] for args, _ in calls["depends_on"]}
    assert {spack_names[name] for name in wanted} <= given
    assert "tomlplusplus" in given


def environment():
    return yaml.safe_load((ROOT / "spack.yaml").read_text())


def schema_errors(found):
    schema = json.loads((ROOT / "tests/setup/spack_environment.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(found)]


def test_spack_environment_has_the_form_that_spack_reads():
    assert schema_errors(environment()) == []


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("specs", "scoreact"),
        ("specs", []),
        ("specs", ["scoreact @main +"]),
        ("repos", ["./spack_repo/scoreact"]),  # as before Spack 1.0
        ("develop", {"scoreact": {"path": "."}}),
        ("develop", {"scoreact": {"spec": "scoreact@main", "folder": "."}}),
        ("packages", {"mpi": "openmpi"}),
        ("packages", {"mpi": {"requires": "openmpi"}}),
        ("packages", {"py-torch": {"require": "~caffe2 + distributed"}}),
        ("concretizer", {"unify": "always"}),
        ("modules", {}),
    ],
)
def test_an_environment_of_another_form_is_refused(section, value):
    changed = environment()
    changed["spack"][section] = value
    assert schema_errors(changed) != []


def test_specs_of_the_environment_use_the_variants_that_the_package_has(spack):
    _, calls = spack
    variants = {args[0] for args, _ in calls["variant"]} | {"cuda"}
    text = (ROOT / "spack.yaml").read_text()
    commands = re.findall(r"scoreact ((?:[+~]\w+ ?)+)", text)
    used = {name for spec in commands for name in re.findall(r"[+~](\w+)", spec)}
    assert used and used <= variants
    for spec in environment()["spack"]["specs"] + [environment()["spack"]["develop"]["scoreact"]["spec"]]:
        assert spec.split()[0] == "scoreact@main" and ("main",) in [args for args, _ in calls["version"]]


def test_packages_that_the_environment_pins_are_dependencies(spack):
    _, calls = spack
    given = {re.split(r"[@ ]", args[0])[0] for args, _ in calls["depends_on"]}
    assert set(environment()["spack"]["packages"]) <= given


def refused(package, spec):
    """Pairs of variants that the package of Spack doesn't allow together."""
    pairs = {"py-torch": [("+distributed", "~tensorpipe")]}
    words = re.findall(r"[+~]\w+", spec)
    return [pair for pair in pairs.get(package, []) if set(pair) <= set(words)]


def test_no_package_is_asked_for_variants_that_it_refuses_together(spack):
    _, calls = spack
    asked = [(name, wanted["require"]) for name, wanted in environment()["spack"]["packages"].items()]
    asked += [(re.split(r"[@ ]", args[0])[0], args[0]) for args, _ in calls["depends_on"]]
    assert [(name, spec) for name, spec in asked if refused(name, spec)] == []
    assert refused("py-torch", "~caffe2 +distributed ~tensorpipe") and not refused("py-torch", "~distributed ~tensorpipe")


def test_kokkos_4_has_the_lambdas_that_cuda_kernels_are(spack):
    _, calls = spack
    assert (("^kokkos+cuda_lambda",), {"when": "+cuda ^kokkos@:4"}) in calls["requires"]


def test_spack_environment_names_this_package():
    environment = (ROOT / "spack.yaml").read_text()
    (repository,) = re.findall(r"^    scoreact: (\./\S+)$", environment, re.MULTILINE)
    assert "namespace: scoreact" in (ROOT / repository / "repo.yaml").read_text()
    assert "- scoreact@main" in environment


def test_presets_set_only_what_cmake_knows():
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    names = [p["name"] for p in presets["configurePresets"]]
    assert names[:1] == ["default"] and {"debug", "asan"} <= set(names)
    assert "tidy" in [p["name"] for p in presets["buildPresets"]]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for preset in presets["configurePresets"]:
        for variable in preset["cacheVariables"]:
            assert variable.startswith("CMAKE_") or variable in OPTIONS, variable
        folder = preset["binaryDir"].removeprefix("${sourceDir}")
        assert f"{folder}/" in ignored or folder.startswith("/build-") and "/build-*/" in ignored


def missing_includes(file):
    """What a CMake file includes by path and isn't there; modules by name and generated files are left out."""
    text = re.sub(r"#.*", "", file.read_text())
    here = {"PROJECT_SOURCE_DIR": ROOT, "CMAKE_CURRENT_SOURCE_DIR": file.parent, "CMAKE_CURRENT_LIST_DIR": file.parent}
    missing = []
    for name in re.findall(r"^\s*include\s*\(\s*\"?([^\s\")]+)", text, re.MULTILINE | re.IGNORECASE):
        path = re.sub(r"\$\{(\w+)\}", lambda variable: str(here.get(variable[1], variable[0])), name)
        if path.endswith(".cmake") and "$" not in path and not (file.parent / path).exists():
            missing.append(name)
    return missing


def test_every_cmake_file_that_is_included_is_there(tmp_path):
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*CMakeLists.txt", "*.cmake"]
    found = subprocess.run(listed, check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if found.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in found.stdout.splitlines() if (ROOT / name).exists()]
    assert len(files) > 5
    assert {str(file): missing_includes(file) for file in files if missing_includes(file)} == {}
    (tmp_path / "there.cmake").touch()
    words = ["there.cmake", "${CMAKE_CURRENT_LIST_DIR}/there.cmake", "Module", "${made}/there.cmake"]
    gone = ["gone.cmake", "${PROJECT_SOURCE_DIR}/gone.cmake", "${CMAKE_CURRENT_SOURCE_DIR}/gone.cmake"]
    (tmp_path / "CMakeLists.txt").write_text("".join(f"include({word})\n" for word in [*words, *gone]))
    assert missing_includes(tmp_path / "CMakeLists.txt") == gone
