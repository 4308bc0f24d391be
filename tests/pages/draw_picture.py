"""Draws docs/report.png, the page of a run as the README shows it: the run of `make run`, or the report that is named."""
import io
import sys
from pathlib import Path

from browser import Browser
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 300_000
HEIGHT = 1330  # summary, surface and loss


def main():
    report = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "results/torus_12x16/400K_llama/report.html")
    if not report.is_file():
        sys.exit(f"Error: there is no report {report}\nmake run writes one; or name another: "
                 "scripts/test_pages.sh tests/pages/draw_picture.py REPORT")
    browser = Browser()
    try:
        browser.look((1280, HEIGHT))
        browser.open(report)
        # A node in the middle, with its neighbours.
        browser.run("const s = strider.data.runs[0].surface; strider.views.grid.onNode(Math.floor(s.nodes * 0.45));")
        picture = Image.open(io.BytesIO(browser.page_picture())).crop((0, 0, 1280, HEIGHT))
        errors = browser.errors()
    finally:
        browser.close()
    if errors:
        sys.exit(f"Error: {errors}")
    output = ROOT / "docs/report.png"
    picture.convert("RGB").quantize(160, dither=Image.Dither.NONE).save(output, optimize=True)
    size = output.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"Error: {output} has {size} bytes, more than {MOST_BYTES}")
    print(f"{output}: {size} bytes")


if __name__ == "__main__":
    main()
