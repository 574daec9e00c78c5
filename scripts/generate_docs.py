"""Writes the tables of the documentation that follow from the code: `python scripts/generate_docs.py`.

A page holds a table between the lines `<!-- generated: NAME -->` and `<!-- end of NAME -->`, where NAME is a key of
`BLOCKS`. Everything outside of them is written by hand. `tests/unit/docs` fails when a table is stale.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from paddlex_triton import limits, paths
from paddlex_triton.client import exceptions
from paddlex_triton.errors import TRITON_CODE, ErrorCode, ServiceError, format_message
from paddlex_triton.export import limits as export_limits
from paddlex_triton.network import FAMILY_OUTPUTS, Family
from paddlex_triton.params import ALLOWED, MODEL_NAME_SUFFIX
from paddlex_triton.pipelines import PIPELINES, PipelineSpec
from paddlex_triton.zoo import OfficialEntry, ShippedEntry, SourceEntry, ZooEntry, load_zoo

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
METRICS = ROOT / "paddlex_triton" / "server" / "modules" / "metrics.py"
MARKED = re.compile(r"<!-- generated: (?P<name>[a-z_]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)

_PROTOBUF: Any = model_config_pb2
# Triton's code in the Python backend -> gRPC's name, HTTP's number.
_STATUS = {
    "INVALID_ARG": "INVALID_ARGUMENT, 400",
    "UNSUPPORTED": "UNIMPLEMENTED, 501",
    "UNAVAILABLE": "UNAVAILABLE, 503",
    "INTERNAL": "INTERNAL, 500",
}
_AGAIN = {
    ErrorCode.DEADLINE_EXCEEDED: "with a longer timeout",
    ErrorCode.INTERNAL: "no; the id in the message is in the server's log",
}

# What the outputs of ensembles hold, K lines of text, S seals, R regions of any kind, N people.
_OUTPUTS = {
    "angle": "degrees by which the page was turned counterclockwise; -1: not looked at",
    "preprocessed_img": "BGR; `[0,0,3]` unless the page was flattened, or with `return_preprocessed_img`",
    "page": "the page, turned and flattened, BGR",
    "pipeline": "PaddleX's name of the pipeline",
    "points": "the corners of all polygons, x and y. Pixels of the page; of a seal's line, of its region. "
    "Clockwise; [quadrilaterals](#corners-of-quadrilaterals) from the upper one of the two leftmost corners",
    "offsets": "K+1 numbers: polygon k is `points[offsets[k]:offsets[k+1]]`",
    "poly_scores": "detection scores of the K lines",
    "texts": "the K lines, UTF-8",
    "scores": "recognition scores of the K lines",
    "kept": "whether a line's score reaches `text_rec_score_thresh` or `seal_rec_score_thresh`",
    "angles": "1: the line was upside down and has been turned; 0: it was not; -1: not looked at",
    "words": 'with `return_word_box`, `{"words": [...], "regions": [[[x, y], ...], ...]}` of lines that are kept, '
    "else empty",
    "regions": "the S seals, x1, y1, x2, y2; the whole page without layout detection",
    "region_ids": "the seal that a line is in",
    "layout_boxes": "the R regions, x1, y1, x2, y2 in pixels of the page",
    "layout_scores": "their scores",
    "layout_class_ids": "their classes, as the layout network numbers them",
    "layout_labels": "the names of those classes",
    "layout_used": "whether layout detection ran",
    "boxes": "the N people, x1, y1, x2, y2 in pixels of the page, within it",
    "det_scores": "their scores",
    "keypoints": "17 joints of each in COCO's order: x, y in pixels of the page (perhaps outside of it), score",
    "keypoint_scores": "the mean of each person's 17 scores",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay cells out as a Markdown table; one `|` inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(names: Sequence[str], between: str = ", ") -> str:
    """Join names, each set as code."""
    return between.join(f"`{name}`" for name in names)


def for_each_pipeline(text_of: Callable[[PipelineSpec], str]) -> str:
    """Put one section per pipeline below each other."""
    return "\n\n".join(f"### {name}\n\n{text_of(spec)}" for name, spec in PIPELINES.items())


def pipelines() -> str:
    """Tell of each pipeline its chain, its steps and its presets."""
    return for_each_pipeline(_pipeline)


def _pipeline(spec: PipelineSpec) -> str:
    chain = f"Ensemble `{spec.ensemble}`: {code(spec.modules, ' → ')}."
    steps = table(
        ["step", "module", "on by", "takes networks of the families"],
        [
            [f"`{name}`", f"`{step.module}`", f"`{step.switch}`" if step.switch else "always", code(step.families)]
            for name, step in spec.steps.items()
        ],
    )
    named = [name for name in spec.steps if any(name in preset for preset in spec.presets.values())]
    presets = table(
        ["preset", *(f"`{step}`" for step in named)],
        [[f"`{name}`", *(preset.get(step, "") for step in named)] for name, preset in spec.presets.items()],
    )
    default = f"Without a preset: `{spec.default_preset}`"
    if spec.fallback_preset:
        default += f"; `{spec.fallback_preset}` where networks of that are not exported"
    if not spec.when_exported:
        return "\n\n".join([chain, steps, presets, f"{default}."])
    added = table(["step", "networks"], [[f"`{step}`", ", ".join(names)] for step, names in spec.when_exported.items()])
    default += ". To it are added, where they are exported (the first one that is):"
    return "\n\n".join([chain, steps, presets, default, added])


def parameters() -> str:
    """Tell of each pipeline its parameters, their defaults and ranges."""
    return for_each_pipeline(_parameters)


def _parameters(spec: PipelineSpec) -> str:
    known = spec.params.model_json_schema()["properties"]
    choosing = [name for name in known if name.endswith(MODEL_NAME_SUFFIX)]
    rows = []
    for name, field in spec.params.model_fields.items():
        if name not in choosing:
            default = f"`{json.dumps(field.default)}`"
            if field.default is None:
                default = "on, if the server has a network for it" if name in spec.switches else "not given"
            rows.append([f"`{name}`", default, _allowed(known[name]), str(field.description)])
    if choosing:
        meaning = "The network of a step, where the server has several for it."
        rows.append([code(choosing), "the first one that is loaded", "the name of one that is loaded", meaning])
    return table(["parameter", "default", "allowed", "meaning"], rows)


def _allowed(known: dict[str, Any]) -> str:
    """Say what JSON schema allows, in words."""
    if ALLOWED in known:
        return str(known[ALLOWED])
    for form in [known, *known.get("anyOf", ())]:
        if "enum" in form:
            return ", ".join(f'`"{value}"`' for value in form["enum"])
        if form.get("type") == "boolean":
            return "`true`, `false`"
        # A bound of several types keeps pydantic's own name.
        most = form.get("maximum", form.get("le"))
        if most is not None:
            whole = "a whole number " if form.get("type") == "integer" else ""
            least, above = form.get("minimum", form.get("ge")), form.get("exclusiveMinimum", form.get("gt"))
            return f"{whole}from {least} to {most}" if above is None else f"{whole}above {above}, up to {most}"
    raise ValueError(f"what is allowed cannot be told from {known}")


def networks() -> str:
    """List the networks that are known by name, by family."""
    parts = []
    for family in get_args(Family):
        entries = [entry for entry in load_zoo().networks.values() if entry.family == family]
        if not entries:
            continue
        head = ["network", "what", "MB", "accuracy, as PaddleX states it", "lies in"]
        parts.append(f"### {family}\n\n{table(head, [_network(entry) for entry in entries])}")
    return "\n\n".join(parts)


def _network(entry: ZooEntry) -> list[str]:
    accuracy = f"{entry.accuracy.value:g} ({entry.accuracy.metric})" if entry.accuracy else ""
    sources = ", ".join(dict.fromkeys(map(_source, entry.sources)))
    size = f"{entry.size_mb:g}" if entry.size_mb else ""
    return [entry.name, entry.summary, size, accuracy, f"{sources}; only by name" if entry.on_request else sources]


def _source(source: SourceEntry) -> str:
    if isinstance(source, OfficialEntry):
        return "PaddleX's hubs" if len(source.hubs) > 1 else "PaddleX's store"
    return "this product" if isinstance(source, ShippedEntry) else f"PyPI, {source.requirement}"


def families() -> str:
    """List the families: what they answer and which steps take them."""
    taking = {
        family: dict.fromkeys(
            name for spec in PIPELINES.values() for name, step in spec.steps.items() if family in step.families
        )
        for family in get_args(Family)
    }
    rows = [[f"`{family}`", code(outputs), code(list(taking[family]))] for family, outputs in FAMILY_OUTPUTS.items()]
    return table(["family", "outputs", "steps that take it"], rows)


def ensembles() -> str:
    """List inputs and outputs of each pipeline's ensemble."""
    return for_each_pipeline(_ensemble)


def _ensemble(spec: PipelineSpec) -> str:
    config = _read_config(paths.ensembles_repository(), spec.ensemble)
    rows = [[f"`{tensor.name}`", _tensor_type(tensor), _meaning(tensor.name)] for tensor in config.output]
    return f"Model `{spec.ensemble}`.\n\n{table(['output', 'type', 'meaning'], rows)}"


def _meaning(output: str) -> str:
    if output.endswith("settings"):
        return "JSON: parameters as they were used, networks with their sha256, version"
    if output not in _OUTPUTS:
        raise SystemExit(f"the output {output!r} has no words yet: add them to _OUTPUTS in {Path(__file__).name}")
    return _OUTPUTS[output]


def modules() -> str:
    """List the tensors of each module."""
    chained = {name: None for spec in PIPELINES.values() for name in spec.modules}
    rows = []
    for module in chained:
        config = _read_config(paths.modules_repository(), module)
        inputs = [
            f"`{tensor.name}` {_tensor_type(tensor)}{' (optional)' if tensor.optional else ''}"
            for tensor in config.input
        ]
        outputs = [f"`{tensor.name}` {_tensor_type(tensor)}" for tensor in config.output]
        rows.append([f"`{module}`", "<br>".join(inputs), "<br>".join(outputs)])
    return table(["module", "inputs", "outputs"], rows)


def _read_config(repository: Path, model: str) -> Any:
    config = _PROTOBUF.ModelConfig()
    return text_format.Parse((repository / model / "config.pbtxt").read_text(encoding="utf-8"), config)


def _tensor_type(tensor: Any) -> str:
    kind = _PROTOBUF.DataType.Name(tensor.data_type).removeprefix("TYPE_").replace("STRING", "BYTES")
    return f"{kind} [{','.join(map(str, tensor.dims))}]"


def error_codes() -> str:
    """List the error codes: statuses, exceptions, whether to try again."""
    kinds = {kind.code: kind for kind in ServiceError.__subclasses__()}
    rows = []
    for each in ErrorCode:
        raised = type(exceptions.error_from_response(format_message("stage", each, "text"), ""))
        again = "yes; the client does" if issubclass(raised, exceptions.UnavailableError) else "no"
        rows.append(
            [
                f"`{each.value}`",
                _first_sentence(kinds[each]),
                _STATUS[TRITON_CODE[each]],
                f"`{raised.__name__}`",
                _AGAIN.get(each, again),
            ]
        )
    return table(["code", "meaning", "gRPC, HTTP", "client exception", "worth trying again"], rows)


def exception_tree() -> str:
    """Draw the client's exceptions."""
    drawn = [f"{branch:<32}{_first_sentence(kind)}" for branch, kind in _branches(exceptions.PaddleXTritonError)]
    return "\n".join(["```text", *drawn, "```"])


def _branches(kind: type) -> Iterator[tuple[str, type]]:
    yield kind.__name__, kind
    children = kind.__subclasses__()
    for child in children:
        last = child is children[-1]
        for depth, (branch, below) in enumerate(_branches(child)):
            before = "│   " if not last else "    "
            yield (("└── " if last else "├── ") if depth == 0 else before) + branch, below


def _first_sentence(kind: type) -> str:
    return (kind.__doc__ or "").split(". ")[0].split(".\n")[0].rstrip(".").replace("\n", " ")


def service_limits() -> str:
    """List the bounds of server and client."""
    return _limits(limits)


def limits_of_exports() -> str:
    """List the bounds of an export."""
    return _limits(export_limits)


def _limits(module: ModuleType) -> str:
    """Read constants and the comments above them; constants below each other share the comment."""
    rows: list[list[str]] = []
    comment: list[str] = []
    after_comment = False
    for line in Path(str(module.__file__)).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            comment = [*comment, line[2:]] if after_comment else [line[2:]]
            after_comment = True
        elif found := re.match(r"([A-Z_]+): Final = ", line):
            name, value = found[1], getattr(module, found[1])
            shown = _bytes(value) if name.endswith("_BYTES") else f"{value:,}".replace(",", " ")
            if after_comment:
                rows.append([f"`{name}`", shown, " ".join(comment)])
            else:
                rows[-1][0] += f", `{name}`"
                rows[-1][1] += f"; {shown}"
            after_comment = False
    return table(["bound", "value", "of"], rows)


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count % size == 0:
            return f"{count // size} {unit}"
    return f"{count:,} bytes".replace(",", " ")


def metrics() -> str:
    """Take the table of metrics from the text of their module, and compare its names with those that are counted."""
    tree = ast.parse(METRICS.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    counted = {
        str(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"paddlex_\w+", str(node.value))
    }
    if counted != set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)):
        raise SystemExit(f"the table in {METRICS.name} does not name the metrics that are counted: {sorted(counted)}")
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))


BLOCKS: dict[str, Callable[[], str]] = {
    "pipelines": pipelines,
    "parameters": parameters,
    "networks": networks,
    "families": families,
    "ensembles": ensembles,
    "modules": modules,
    "error_codes": error_codes,
    "exceptions": exception_tree,
    "limits": service_limits,
    "limits_of_exports": limits_of_exports,
    "metrics": metrics,
}


def renewed(text: str) -> str:
    """Write the generated tables of a page anew; everything else stays as it is.

    Raises:
        KeyError: the page asks for a table that there is not.
    """
    return MARKED.sub(
        lambda found: (
            f"<!-- generated: {found['name']} -->\n\n{BLOCKS[found['name']]()}\n\n<!-- end of {found['name']} -->"
        ),
        text,
    )


def pages() -> list[Path]:
    """Find the pages of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def main() -> None:
    """Renew all pages, and name those that changed."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := renewed(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"renewed {page.relative_to(ROOT)}")  # noqa: T201


if __name__ == "__main__":
    main()
