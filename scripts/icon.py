"""Make the icon of generated desktop apps from the icon of their page: `python -m scripts.icon` (needs Chromium).

Run it again only when the drawing changes; the icon is in the repository.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import struct
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TEMPLATE = Path(__file__).parents[1] / "template"
DRAWING = TEMPLATE / "{% if has_frontend %}frontend{=_copier_conf.sep=}public{% endif %}/favicon.svg"
ICON = TEMPLATE / "scripts/{% if has_desktop %}icon.ico{% endif %}"
SIZES = (256, 64, 48, 40, 32, 24, 20, 16)
DRAW = """async ([drawing, size]) => {
  const image = new Image(size, size);
  image.src = "data:image/svg+xml;base64," + drawing;
  await image.decode();
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, size, size);
  const bytes = size === 256
    ? new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())
    : context.getImageData(0, 0, size, size).data;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""


def draw(page: Page, size: int) -> bytes:
    """Draw one size: the largest as PNG, as Windows wants it; the others as the bitmaps that everything can read."""
    drawing = base64.b64encode(DRAWING.read_bytes().replace(b"<svg ", b'<svg width="256" height="256" ')).decode()
    data = base64.b64decode(page.evaluate(DRAW, [drawing, size]))
    return data if size == 256 else bitmap(data, size)


def bitmap(pixels: bytes, size: int) -> bytes:
    """Write RGBA as an icon's bitmap: BGRA from the bottom up, then a mask of what is fully transparent."""
    rows = [pixels[4 * size * row : 4 * size * (row + 1)] for row in reversed(range(size))]
    colours = b"".join(
        bytes((r[2], r[1], r[0], r[3])) for row in rows for r in (row[at : at + 4] for at in range(0, len(row), 4))
    )
    width = -(-size // 32) * 4
    masks = []
    for row in rows:
        bits = "".join("1" if alpha == 0 else "0" for alpha in row[3::4]).ljust(8 * width, "0")
        masks.append(int(bits, 2).to_bytes(width, "big"))
    return struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 0, 0, 0, 0, 0) + colours + b"".join(masks)


def main() -> int:
    """Write icon.ico."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        images = [draw(page, size) for size in SIZES]
        browser.close()
    start = 6 + 16 * len(images)
    entries = b""
    for size, image in zip(SIZES, images, strict=True):
        entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(image), start)
        start += len(image)
    ICON.write_bytes(struct.pack("<HHH", 0, 1, len(images)) + entries + b"".join(images))
    return 0


if __name__ == "__main__":
    sys.exit(main())
