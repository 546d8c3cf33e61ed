"""The frame and the look of a page: how does it read on a screen, a phone, at night, on paper?"""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from miner.errors import RunError
from miner.report.screen import spell
from miner.runs.workplace import write_output

GENERATOR = '<meta name="generator" content="miner">'  # by which a page is known as ours
STYLE = """
:root{color-scheme:light dark;--paper:#fdfdfb;--ink:#1d2126;--dim:#5c6570;--line:#d9dce0;
--kept:#1b5fb4;--kept-soft:#c9dcf4;--mark:#e4edf8;--refused:#a8470b;
--k0:#0072b2;--k1:#b24a00;--k2:#007a5a;--k3:#9c4a80;--k4:#7a6a00;--k5:#4d4d4d}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e8ea;--dim:#a1a9b3;
--line:#383e46;--kept:#7db5ff;--kept-soft:#24446b;--mark:#22364f;--refused:#f2a765;
--k0:#56b4e9;--k1:#e69f00;--k2:#2fc79b;--k3:#e09bc4;--k4:#f0e442;--k5:#bdbdbd}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:70rem;background:var(--paper);
color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.5rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
p,ul{max-width:42rem}
p.facts,small,figcaption,nav{color:var(--dim)}
p.lead{font-size:1.1rem}
nav a{color:inherit;margin-right:1rem;white-space:nowrap}
small{display:block;font-size:.8rem;line-height:1.3}
bdi{white-space:pre-wrap;overflow-wrap:anywhere}
.hidden{font:.75em ui-monospace,monospace;border:1px solid;border-radius:3px;padding:0 .2em;
color:var(--refused)}
.columns{display:grid;gap:0 3rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr))}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .5rem .15rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:400;vertical-align:bottom}
.n{text-align:right}
td.n{white-space:nowrap}
.names bdi{overflow-wrap:normal}
td:last-child,th:last-child{padding-right:0}
tr.noted td{border-bottom:0;padding-bottom:0}
.note td{padding:0 0 .35rem 2rem;color:var(--dim);font-size:.92em;line-height:1.35}
.place{display:block;padding-left:.7rem;text-indent:-.7rem}
mark{background:var(--mark);color:var(--ink);border-radius:2px;padding:0 .12em;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.bar{display:flex;gap:.4rem;align-items:center;justify-content:flex-end;white-space:nowrap}
.bar i{flex:0 0 3.5rem;height:.5rem;background:var(--line)}
.bar b{display:block;height:100%;background:var(--kept)}
.bar i,.bar b{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.narrow{max-width:42rem}
figure{margin:1rem 0;max-width:34rem}
svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}
svg .strong{fill:var(--ink);font-weight:600}
svg .grid{stroke:var(--line);fill:none}
svg .band{fill:var(--kept-soft)}
svg .curve{stroke:var(--kept);stroke-width:2;fill:none}
svg .dot{fill:var(--kept)}
svg .knee{stroke:var(--ink);stroke-dasharray:4 3}
svg .kept{stroke:var(--kept);stroke-width:4.5;stroke-linecap:round;stroke-opacity:.65}
svg .refused{stroke:var(--refused);stroke-width:1.2;stroke-opacity:.75;fill:none}
svg .kept-name{fill:var(--kept)}
svg .refused-name{fill:var(--refused)}
.k0{--c:var(--k0)}.k1{--c:var(--k1)}.k2{--c:var(--k2)}.k3{--c:var(--k3)}.k4{--c:var(--k4)}
.k5{--c:var(--k5)}
.map{max-width:52rem}
.map path{stroke:var(--c);stroke-linecap:round;stroke-opacity:.55;fill:none}
.map circle{fill:var(--c);stroke:var(--paper);stroke-width:.8}
svg text{unicode-bidi:plaintext}
.map svg text{font-size:8px;fill:var(--ink);stroke:var(--paper);stroke-width:2.5px;
stroke-linejoin:round;paint-order:stroke}
.legend{margin:0 0 .3rem;font-size:.9rem;color:var(--dim)}
.legend span{margin-right:1rem;white-space:nowrap}
.key{display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.3rem;
background:var(--c);print-color-adjust:exact;-webkit-print-color-adjust:exact}
code{white-space:nowrap}
figcaption{font-size:.9rem}
@media (max-width:48rem){.map svg text{font-size:11px}.note td{padding-left:1rem}}
@media (max-width:30rem){.map svg text{font-size:14px}svg text{font-size:15px}
table{font-size:.85rem}.bar i{flex-basis:2rem}}
@media (max-width:25rem){body{padding:1rem .6rem 3rem}table{font-size:.8rem}.bar i{display:none}
th,td{padding-right:.35rem}td.n{white-space:normal}code{white-space:normal;overflow-wrap:anywhere}}
@media print{:root{--paper:#fff;--ink:#000;--dim:#444;--line:#bbb;--kept:#1b5fb4;
--kept-soft:#c9dcf4;--mark:#e4edf8;--refused:#a8470b;--k0:#0072b2;--k1:#b24a00;--k2:#007a5a;--k3:#9c4a80;
--k4:#7a6a00;--k5:#4d4d4d}body{font-size:10pt;max-width:none;padding:0}nav{display:none}
tr,figure{break-inside:avoid}tr.noted{break-after:avoid}.map{max-width:34rem}h2,h3{break-after:avoid}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def lay_page(title: str, body: Iterable[str], style: str = "") -> str:
    """Return a whole page that loads nothing and runs nothing.

    `title` is text, `body` ready HTML, `style` what a page needs beyond the common look.
    """
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        GENERATOR,
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{html.escape(spell(title))} - miner</title>",
        f"<style>{STYLE}{style}</style></head><body>",
        *body,
        "</body></html>\n",
    )
    return "\n".join(lines)


def save_page(path: Path, page: str) -> None:
    """Write a page all at once, in the place of another page of miner's and of nothing else.

    RunError where something else is there, or where it cannot be written.
    """
    if path.is_file() and not _is_page(path):
        raise RunError(
            "a file is there, which miner did not write",
            where=str(path),
            cure="Name another file, or move it away",
        )
    write_output(path, page.encode(), overwrite=True)


def _is_page(path: Path) -> bool:
    with path.open("rb") as handle:
        return GENERATOR.encode() in handle.read(1_000)
