# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The page of the gallery in a real browser, wide, on a phone, and dark."""

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mfresnet.runs.studies.gallery import find
from mfresnet.runs.studies.page import Exhibit, render
from mfresnet.runs.studies.study import first_sentence
from mfresnet.verification.findings import near

CASES = Path(__file__).parents[2] / "cases"
SCREEN = 800
MOST = 15
"""Screens of a wide page."""
LOOK = """<!doctype html><body style="margin:0"><iframe id="page" src="index.html"
style="border:0;width:{width}px;height:800px"></iframe><pre id="found"></pre><script>
document.getElementById("page").onload = async event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const images = [...page.images];
  for (const image of images) image.loading = "eager";
  await Promise.all(images.map(image => image.complete ? null : new Promise(done => {{
    image.onload = image.onerror = done;
  }})));
  const links = [...page.querySelectorAll("a")].map(a => a.getAttribute("href"));
  document.getElementById("found").textContent = JSON.stringify({{
    wide: root.scrollWidth, high: root.scrollHeight,
    empty: images.filter(i => !i.naturalWidth || !i.width || !i.height).map(i => i.src),
    images: images.length, links,
    lost: links.filter(link => link[0] == "#" && !page.getElementById(link.slice(1))),
    paper: page.defaultView.getComputedStyle(page.body).backgroundColor,
    ink: page.defaultView.getComputedStyle(page.body).color,
  }});
}};
</script>"""

pytestmark = [
    pytest.mark.looks,
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="no chromium here; docker/looks has one"
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of all cases and studies with their words; a case has a report, a study none."""
    directory = tmp_path_factory.mktemp("gallery")
    exhibits = []
    for path in find(CASES):
        case = path.suffix == ".toml"
        name = f"{path.stem}/picture.webp" if case else f"{path.stem}/picture.png"
        (directory / path.stem).mkdir()
        Image.new("RGB", (480, 520) if case else (1800, 600), "#0072b2").save(directory / name)
        (directory / path.stem / "report.html").write_text("<!doctype html>")
        text = path.read_text().replace("# ", "")
        about = text.split('"""')[1] if not case else text
        finding = near("a slope with a long name, over all samples", -0.5, -0.5, 0.1)
        exhibits.append(
            Exhibit(
                name=path.stem,
                kind="case" if case else "study",
                title=path.stem.replace("_", " "),
                sentence=first_sentence(about),
                command=f"docker/run python3 cases/studies/{path.name}",
                status=0,
                seconds=10.0,
                pictures=(name,),
                numbers=(("objective", "0.32434"),) if case else (),
                findings=() if case else (finding,) * 6,
                page=f"{path.stem}/report.html" if case else "",
            )
        )
    (directory / "index.html").write_text(render(exhibits))
    return directory


def seen(page: Path, width: int, *options: str) -> dict[str, Any]:
    """Return what a browser finds on the page at a width."""
    (page / "look.html").write_text(LOOK.format(width=width))
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", "--virtual-time-budget=20000", "--dump-dom",
            f"--user-data-dir={page / 'profile'}", f"--window-size={max(width, 600)},{SCREEN}",
            *options, (page / "look.html").as_uri()]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    text = done.stdout.partition('<pre id="found">')[2].partition("</pre>")[0]
    found: dict[str, Any] = json.loads(html.unescape(text))
    return found


@pytest.mark.parametrize("width", [1200, 400])
def test_page_fits_and_is_whole(page: Path, width: int) -> None:
    """Nothing is wider than the window, no picture is empty, and every link leads somewhere."""
    found = seen(page, width)
    assert found["wide"] == width
    assert found["empty"] == found["lost"] == []
    count = len(find(CASES))
    assert found["images"] > count
    assert len(found["links"]) == count
    missing = [link for link in found["links"] if link[0] != "#" and not (page / link).is_file()]
    assert missing == []
    if width == 1200:
        assert found["high"] < MOST * SCREEN


def test_page_is_dark_where_the_reader_is(page: Path) -> None:
    """Paper and ink change places."""

    def grey(colour: str) -> float:
        return sum(map(int, colour[4:-1].split(","))) / 3.0

    light = seen(page, 1200, "--blink-settings=preferredColorScheme=1")
    dark = seen(page, 1200, "--blink-settings=preferredColorScheme=0")
    assert grey(light["paper"]) > 240 > 60 > grey(light["ink"])
    assert grey(dark["paper"]) < 60 < 200 < grey(dark["ink"])
