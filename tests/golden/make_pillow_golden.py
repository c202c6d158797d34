"""Prints the table of tests/unit/data/pillow_resize_test.cpp: digests of pictures that Pillow resized.

Needs Pillow up to 12 (not needed by the build or the tests; 13 does the vertical pass first for some pictures):

    python tests/golden/make_pillow_golden.py
"""

from __future__ import annotations

from PIL import Image

MASK = (1 << 64) - 1
SIZES = [  # height, width, new height, new width: down, up, both at once, one axis alone, extremes
    (512, 512, 224, 224), (768, 512, 336, 224), (512, 771, 224, 337), (64, 64, 224, 224), (32, 32, 299, 299),
    (100, 37, 224, 83), (37, 100, 83, 224), (225, 223, 224, 224), (224, 224, 224, 224), (224, 300, 224, 150),
    (300, 224, 150, 224), (7, 5, 3, 11), (1, 9, 4, 4), (9, 1, 4, 4), (1, 1, 5, 3), (40, 40, 1, 1), (3, 250, 250, 3),
]


def noise(count: int) -> bytes:
    """Bytes that C++ draws alike: the upper bits of a linear congruential generator."""
    state, out = 1, bytearray()
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        out.append(state >> 56)
    return bytes(out)


def digest(data: bytes) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


if __name__ == "__main__":
    for height, width, new_height, new_width in SIZES:
        for channels, mode in ((3, "RGB"), (1, "L")):
            if channels == 1 and height > 300:
                continue
            picture = Image.frombytes(mode, (width, height), noise(height * width * channels))
            values = []
            for kind in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
                values.append(f"0x{digest(picture.resize((new_width, new_height), kind).tobytes()):016x}")
            print(f"    {{{height}, {width}, {channels}, {new_height}, {new_width}, {values[0]}, {values[1]}}},")
