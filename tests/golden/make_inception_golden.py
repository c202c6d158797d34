"""Makes tests/data/inception/case.safetensors: what pytorch-fid and torch-fidelity compute with the random weights of
`scoreact make-fixture inception --out DIR --seed 0`.

Needs torch, torchvision, pytorch-fid, torch-fidelity, scipy (< 1.18) and safetensors (not needed by the build or the tests):

    python tests/golden/make_inception_golden.py DIR tests/data/inception/case.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from inception_originals import pytorch_fid_network, torch_fidelity_network
from pytorch_fid.fid_score import calculate_frechet_distance
from safetensors.torch import save_file
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

DIMS = (64, 192, 768, 2048)


def smooth_pictures(count: int, height: int, width: int, contrast: float) -> torch.Tensor:
    """Blobs of colour, uint8 [count, 3, height, width]."""
    coarse = torch.randn(count, 3, 3, 3)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    noisy = fine + 0.3 * torch.randn(count, 3, height, width)
    return (127.5 + contrast * noisy).clamp(0, 255).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="folder of the fixture")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    ours = pytorch_fid_network(arguments.weights, DIMS)
    theirs = torch_fidelity_network(arguments.weights, [*map(str, DIMS), "logits"])
    torch.manual_seed(0)
    pictures = smooth_pictures(3, 37, 53, 60)
    case: dict[str, torch.Tensor] = {"pictures": pictures}

    inp = (pictures.float() / 255).requires_grad_(True)
    for dims, features in zip(DIMS, ours(inp)):
        case[f"pytorch_fid.{dims}"] = features.detach().mean((2, 3))
    case["cotangent"] = torch.randn(3, 2048)
    gradients = {}
    for dtype in (torch.float32, torch.float64):  # in float32 the jumps of ReLU and of maxima show
        exact = (pictures.to(dtype) / 255).requires_grad_(True)
        features = ours.to(dtype)(exact)[-1].flatten(1)
        (gradients[dtype],) = torch.autograd.grad(features, exact, case["cotangent"].to(dtype))
    ours.float()
    case["grad.inp"] = gradients[torch.float64].float()
    difference = (gradients[torch.float32] - gradients[torch.float64]).norm() / gradients[torch.float64].norm()
    print(f"gradient of pytorch-fid in float32 against float64: {difference:.2e}")
    with torch.no_grad():
        for name, features in zip((*DIMS, "logits"), theirs(pictures)):
            case[f"torch_fidelity.{name}"] = features

    resized = interpolate_bilinear_2d_like_tensorflow1x(pictures[:1].float(), size=(11, 90), align_corners=False)
    case["tensorflow1.resized"] = resized

    # two sets that differ; 64 dimensions and 80 pictures: the covariances are regular, so all square roots agree
    sets = {"a": smooth_pictures(80, 8, 8, 60), "b": smooth_pictures(80, 8, 8, 50)}
    distances = {}
    with torch.no_grad():
        for index, dims in enumerate(DIMS[:1]):
            pytorch = {k: ours(v.float() / 255)[index].mean((2, 3)).double().numpy() for k, v in sets.items()}
            fidelity = {k: theirs(v)[index] for k, v in sets.items()}
            moments = {k: (v.mean(0), np.cov(v, rowvar=False)) for k, v in pytorch.items()}
            distances[f"fid.pytorch_fid.{dims}"] = calculate_frechet_distance(*moments["a"], *moments["b"])
            statistics = [fid_features_to_statistics(fidelity[k]) for k in "ab"]
            metric = fid_statistics_to_metric(*statistics, verbose=False)
            distances[f"fid.torch_fidelity.{dims}"] = metric["frechet_inception_distance"]
    for name, picture_set in sets.items():
        case[f"set.{name}"] = picture_set
    for name, value in distances.items():
        case[name] = torch.tensor(value, dtype=torch.float64)
        print(f"{name}: {value:.9g}")
    for name, tensor in case.items():
        if tensor.is_floating_point() and tensor.dim() == 2:
            print(f"{name}: {list(tensor.shape)}, mean {tensor.mean():.4g}, spread between rows {tensor.std(0).mean():.4g}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in case.items()}, arguments.out)


if __name__ == "__main__":
    main()
