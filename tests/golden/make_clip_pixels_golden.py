"""Makes tests/data/clip_pixels.safetensors: pictures as CLIP and ImageReward see them, by torchvision and Pillow.

Needs torch, torchvision, Pillow up to 12 and safetensors (not needed by the build or the tests):

    python tests/golden/make_clip_pixels_golden.py tests/data

For each picture x in [-1, 1] (some pixels beyond): `pictures`, through 8 bits and Pillow as the original programs do it;
`values`, through torchvision's Resize on tensors, and the gradient of that with respect to x.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

SIZE = 16
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIZES = {"down": (37, 37), "landscape": (29, 42), "portrait": (47, 20), "up": (11, 13), "same": (16, 16), "cut": (16, 21)}


def main(out: Path) -> None:
    torch.manual_seed(7)
    bicubic = InterpolationMode.BICUBIC
    from_picture = Compose([Resize(SIZE, interpolation=bicubic), CenterCrop(SIZE), ToTensor(), Normalize(MEAN, DEVIATION)])
    from_tensor = Compose([Resize(SIZE, interpolation=bicubic, antialias=True), CenterCrop(SIZE), Normalize(MEAN, DEVIATION)])
    tensors = {}
    for name, (height, width) in SIZES.items():
        count = 2 if name == "up" else 1
        x = (0.6 * torch.randn(count, 3, height, width)).requires_grad_(True)
        values = from_tensor((x / 2 + 0.5).clamp(0, 1))
        cotangent = torch.randn_like(values)
        (gradient,) = torch.autograd.grad(values, x, cotangent)
        bytes_ = ((x.detach() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        pictures = torch.stack([from_picture(Image.fromarray(picture)) for picture in bytes_])
        tensors |= {f"{name}.x": x.detach(), f"{name}.values": values.detach(), f"{name}.cotangent": cotangent,
                    f"{name}.gradient": gradient, f"{name}.pictures": pictures}
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "clip_pixels.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
