"""The Inception networks of pytorch-fid and torch-fidelity with weights from a folder instead of a download."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch

WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"


def pytorch_fid_network(folder: Path, dims: tuple[int, ...] = (2048,)) -> torch.nn.Module:
    """InceptionV3 of pytorch-fid, evaluation mode; [0, 1] in, one feature map for each of `dims` out."""
    import pytorch_fid.inception as original

    state = torch.load(folder / WEIGHTS, weights_only=True)
    with mock.patch.object(original, "load_state_dict_from_url", lambda *_, **__: state):
        blocks = [original.InceptionV3.BLOCK_INDEX_BY_DIM[d] for d in dims]
        return original.InceptionV3(blocks).eval()


def torch_fidelity_network(folder: Path, names: list[str]) -> torch.nn.Module:
    """FeatureExtractorInceptionV3 of torch-fidelity; uint8 in, a tuple of `names` out."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    return FeatureExtractorInceptionV3("inception-v3-compat", names, str(folder / WEIGHTS)).eval()
