"""Pictures of a comparison: SVG, bars and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from paddlex_triton.bench.compare.results import PipelineNumbers

_WIDTH, _LABELS, _BAR, _GAP = 900, 330, 18, 6
# One colour for a series: contestants, or numbers of callers.
_COLOURS = ("#3b6ea5", "#d08a2e", "#5a9e6f", "#b0524f", "#7a68a6", "#8c8c8c", "#4aa3a2", "#a5793b")


def draw_plots(pipeline: PipelineNumbers) -> dict[str, str]:
    """Draw a pipeline's plots: file name -> SVG. Those without numbers are left out."""
    latency = [
        (case, [(each.label, each.cases[case].median_ms) for each in pipeline.contestants if each.cases[case].ms])
        for case in pipeline.files
    ]
    throughput = [
        (
            each.label,
            [
                (
                    f"{some.callers} callers" if some.processes == 1 else f"{some.processes} processes",
                    some.pages_a_second,
                )
                for some in each.throughputs
                if some.tool == "client"
            ],
        )
        for each in pipeline.contestants
    ]
    plots = {
        f"{pipeline.name}_latency.svg": (f"{pipeline.name}: ms a page, median, one caller", latency, ".0f"),
        f"{pipeline.name}_throughput.svg": (f"{pipeline.name}: pages a second", throughput, ".2f"),
    }
    return {
        name: _bars(title, groups, form) for name, (title, groups, form) in plots.items() if any(g[1] for g in groups)
    }


def _bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]], form: str) -> str:
    """Draw groups of bars, from left to right: title and named values of each."""
    most = max(value for _, bars in groups for _, value in bars) or 1.0
    names = list(dict.fromkeys(name for _, bars in groups for name, _ in bars))
    parts, y = [_text(10, 22, title, 16)], 44
    for group, bars in groups:
        if not bars:
            continue
        parts.append(_text(10, y + 12, group, 13))
        y += _BAR + _GAP
        for name, value in bars:
            width = (_WIDTH - _LABELS - 80) * value / most
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            parts.append(f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
            parts.append(_text(_LABELS - 8, y + 13, name, 12, "end"))
            parts.append(_text(_LABELS + width + 6, y + 13, format(value, form), 12))
            y += _BAR + _GAP
        y += 2 * _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, size: int, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
