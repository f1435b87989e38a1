"""LaTeX formulas of the pages as MathML, which browsers draw without scripts or fonts from the network."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\s*\\[(\[](?P<latex>.*?)\\[)\]]\s*</(?P=tag)>', re.DOTALL
)
_ACCENT = re.compile(
    r"<mover>((?:<mi>[^<]*</mi>|<mrow>(?:<m[iotn]>[^<]*</m[iotn]>)*</mrow>)<mo[^>]*>(?:&#x002D9;|&#x000A8;|&#x0005E;))"
)


def with_mathml(page: str, source: str) -> str:
    """The HTML of a page with each formula that Arithmatex has marked turned into MathML.

    Args:
        page: HTML.
        source: name of the page, for the message.

    Raises:
        ValueError: for a command that has no MathML here: it would be shown as its name.
    """

    def formula(match: re.Match[str]) -> str:
        latex = html.unescape(match["latex"])
        text: str = convert(latex, display="block" if match["tag"] == "div" else "inline")
        if "\\" in text or "<mi>&</mi>" in text:
            unknown = ", ".join(sorted(set(re.findall(r"\\\w+", text)))) or "the & of an environment"
            raise ValueError(f"{source}: no MathML for {unknown} in '{latex.strip()}'")
        return _ACCENT.sub(r'<mover accent="true">\1', text)

    return _FORMULA.sub(formula, page)
