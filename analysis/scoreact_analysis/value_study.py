"""RUN_DIR/value_study.h5: every value design fitted on the same trajectories (paper, Table 1, Figure 2)."""

from dataclasses import dataclass
from pathlib import Path

from scoreact_analysis import hdf5
from scoreact_analysis.errors import bad_data
from scoreact_analysis.hdf5 import Floats

FORMAT = "scoreact-value-study"


@dataclass(frozen=True)
class ValueDesign:
    """One design: V = c_skip RM(predictor) + c_out F(corrector) (docs/mathematics.md section 4, eq. 20)."""

    name: str
    predictor: str
    corrector: str
    c_out: str
    train_mse: Floats  # [E], reward units squared
    test_mse: Floats  # [E]
    per_time: Floats  # [T], test MSE at each noise time

    @property
    def formula(self) -> str:
        """The design as the paper writes it, e.g. "RM(x0hat)+F(x), sin"."""
        if not self.predictor and not self.corrector:
            return self.name
        parts = [
            f"RM({self.predictor})" if self.predictor not in ("", "none") else "",
            f"F({self.corrector})" if self.corrector not in ("", "none") else "",
        ]
        shape = self.c_out.replace("one_minus_cos", "1-cos")
        return "+".join(part for part in parts if part) + (f", {shape}" if shape else "")


@dataclass(frozen=True)
class ValueStudy:
    """All designs, and the noise times tau in (0, 1] of `per_time`."""

    designs: list[ValueDesign]
    tau: Floats

    @staticmethod
    def read(path: Path) -> "ValueStudy":
        """Read a value study file; AnalysisError if it is missing or something else."""
        with hdf5.opened(path, FORMAT) as file:
            if "designs" not in file or not hdf5.subgroups(file["designs"]):
                raise bad_data(f"{path}: no designs in group '/designs'")
            tau = hdf5.floats(file, "tau", 1)
            designs = []
            for name in hdf5.subgroups(file["designs"]):
                group = file["designs"][name]
                said = hdf5.attributes(group)
                design = ValueDesign(
                    name=name,
                    predictor=said.get("predictor", ""),
                    corrector=said.get("corrector", ""),
                    c_out=said.get("c_out", ""),
                    train_mse=hdf5.floats(group, "train_mse", 1),
                    test_mse=hdf5.floats(group, "test_mse", 1),
                    per_time=hdf5.floats(group, "per_time", 1),
                )
                if design.per_time.size != tau.size:
                    raise bad_data(
                        f"{path}: design '{name}' has {design.per_time.size} values per_time, /tau has {tau.size}"
                    )
                if design.test_mse.size == 0:
                    raise bad_data(f"{path}: design '{name}' holds no test_mse yet")
                designs.append(design)
        return ValueStudy(designs, tau)
