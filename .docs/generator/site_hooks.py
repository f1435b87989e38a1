"""What the site generator does beside turning Markdown into HTML: generated pages, formulas, sources."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mathml import with_mathml
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from reference_pages import module_pages, pages
from source_tree import ROOT, link_sources

_SOURCES = tempfile.TemporaryDirectory(prefix="kilohertz-docs-")


# Before mkdocstrings reads its options.
@event_priority(100)
def on_config(config: Any) -> Any:
    """Gives mkdocstrings the sources of this checkout, and the navigation its pages of modules."""
    if not (Path(_SOURCES.name) / "kilohertz").exists():
        link_sources(Path(_SOURCES.name))
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [_SOURCES.name]
    config.nav.append({"Modules": sorted(module_pages())})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that are generated from schemas, commands and packages, and the README's pictures."""
    for path, text in {**pages(), **module_pages()}.items():
        files.append(File.generated(config, path, content=text))
    for picture in sorted((ROOT / ".readme").glob("*.png")):
        files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Points to pictures of the README where the site has them."""
    return markdown.replace("](../.readme/", "](pictures/")


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Turns formulas into MathML, and `Example::` of docstrings into a sentence before its code."""
    return with_mathml(html.replace("::</p>", ":</p>"), page.file.src_uri)
