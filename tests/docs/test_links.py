"""Links lead somewhere, and every page can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TOCTREE = re.compile(r"^```{toctree}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return what ``#...`` may be in a link to *page*, as GitHub and MyST make it of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield target and anchor of each link of *page* within the repository."""
    for link in LINK.findall(prose(page)):
        if not re.match(r"https?:", link):
            path, _, anchor = link.partition("#")
            yield ((page.parent / path).resolve() if path else page, anchor)


def test_links_lead_to_pages_and_headings_that_exist() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target.name}#{anchor}"
        for page in PAGES
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, pending = set[Path](), [DOCS / "index.md"]
    while pending:
        page = pending.pop()
        if page in PAGES and page not in reached:
            reached.add(page)
            pending.extend(target for target, _ in links(page))
    assert set(DOCS.rglob("*.md")) - reached == {DOCS / "README.md"}


def test_every_page_stands_in_a_table_of_contents() -> None:
    listed = {
        (page.parent / f"{line}.md").resolve()
        for page in DOCS.rglob("index.md")
        for toctree in TOCTREE.findall(page.read_text(encoding="utf-8"))
        for line in toctree.splitlines()
        if line and not line.startswith(":")
    }
    assert set(DOCS.rglob("*.md")) - listed == {DOCS / "README.md", DOCS / "index.md"}


def test_every_page_begins_with_its_one_title() -> None:
    odd = [
        str(page.relative_to(ROOT))
        for page in PAGES
        if not page.read_text(encoding="utf-8").startswith("# ")
        or len(re.findall(r"^# ", prose(page), re.MULTILINE)) != 1
    ]
    assert odd == []
