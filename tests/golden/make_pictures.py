"""Makes tests/data/pictures/ (small pictures of every kind and the RGB bytes that Pillow reads from them) and tests/data/npz/.

Needs numpy and Pillow:

    python tests/golden/make_pictures.py tests/data
"""

from __future__ import annotations

import argparse
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def add_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """`png` with one more chunk behind its header."""
    at = 8 + 25
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:at] + chunk + png[at:]


def deep_png(values: np.ndarray) -> bytes:
    """16-bit RGB, which Pillow doesn't write."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + values[y].astype(">u2").tobytes() for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        png += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png


def make_pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:19, 0:22]
    smooth = np.stack([x * 11, y * 13, 255 - x * y * 255 // 400], -1).astype(np.uint8)
    noisy = np.clip(smooth + random.integers(-20, 20, smooth.shape), 0, 255).astype(np.uint8)
    rgb = Image.fromarray(noisy)
    grey = Image.fromarray(noisy[..., 0])
    alpha = Image.fromarray(np.dstack([noisy, smooth[..., 1]]))
    rgb.save(folder / "rgb.png")
    grey.save(folder / "grey.png")
    alpha.save(folder / "rgba.png")
    alpha.convert("LA").save(folder / "grey_alpha.png")
    rgb.quantize(17).save(folder / "palette.png", transparency=3)
    grey.convert("1").save(folder / "one_bit.png")
    (folder / "gamma.png").write_bytes(add_chunk((folder / "rgb.png").read_bytes(), b"gAMA", struct.pack(">I", 100000)))
    (folder / "deep.png").write_bytes(deep_png(random.integers(0, 65536, (5, 6, 3))))
    rgb.save(folder / "subsampled.jpg", quality=85)
    rgb.save(folder / "full.jpg", quality=95, subsampling=0)
    rgb.save(folder / "progressive.jpg", quality=80, progressive=True)
    grey.save(folder / "grey.jpg", quality=90)
    for file in sorted(folder.glob("*.[pj][np]g")):
        picture = np.asarray(Image.open(file).convert("RGB"))
        file.with_suffix(file.suffix + ".rgb").write_bytes(
            struct.pack("<II", picture.shape[0], picture.shape[1]) + picture.tobytes()
        )
    rgb.convert("CMYK").save(folder / "refused_cmyk.jpg")
    Image.fromarray(random.integers(0, 65536, (5, 6)).astype(np.uint16)).save(folder / "refused_deep_grey.png")


def make_npz(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mu = np.arange(5) / 7
    sigma = np.add.outer(np.arange(5), 10.0 * np.arange(5)) / 3
    np.savez(folder / "stored.npz", mu=mu, sigma=sigma)
    np.savez_compressed(folder / "deflated.npz", mu=mu, sigma=sigma)
    np.savez(folder / "fortran_float32.npz", mu=mu.astype(np.float32), sigma=np.asfortranarray(sigma, dtype=np.float32))
    np.savez(folder / "integers.npz", mu=np.arange(5), sigma=sigma)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    make_pictures(arguments.data / "pictures")
    make_npz(arguments.data / "npz")
