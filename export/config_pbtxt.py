"""config.pbtxt of a network: one template per family, rendered once per flavour."""

from __future__ import annotations

from pathlib import Path
from string import Template

from paddlex_triton.export.flavour_sections import SECTIONS
from paddlex_triton.export.tensorrt.profiles import PlanShapes
from paddlex_triton.flavours import FLAVOURS, Flavour
from paddlex_triton.network import Family

_TEMPLATES = Path(__file__).with_name("templates")
_WITHOUT_PLAN = """\
# No TensorRT plan is made of this network: ONNX Runtime runs it in this flavour too, as in gpu.pbtxt.
"""


def render_config(
    flavour: Flavour,
    family: Family,
    name: str,
    max_batch_size: int,
    values: dict[str, str],
    *,
    keeps_layout: bool = False,
    shapes: PlanShapes | None = None,
) -> str:
    """Render a network's configuration.

    Args:
        flavour: how the network is run.
        family: chooses the template.
        name: the network's name.
        max_batch_size: rows in one run; a plan has its own.
        values: for the family's own places in its template.
        keeps_layout: it is served in the layout it has.
        shapes: of its TensorRT plan; None where none is made of its family.
    """
    remark = ""
    if flavour.without_plan is not None:
        if shapes is None:
            flavour, remark = FLAVOURS[flavour.without_plan], _WITHOUT_PLAN
        else:
            max_batch_size = shapes.max_batch_size
    sections = SECTIONS[flavour.name](family, keeps_layout, shapes)
    template = Template((_TEMPLATES / f"{family}.pbtxt").read_text(encoding="utf-8"))
    return template.substitute(
        values,
        name=name,
        where=sections.where,
        backend=remark + _backend(flavour),
        max_batch_size=str(max_batch_size),
        execution=sections.execution.rstrip(),
        batching=sections.batching.rstrip(),
    )


def _backend(flavour: Flavour) -> str:
    fields = {"backend": flavour.backend, "platform": flavour.platform, "default_model_filename": flavour.model_file}
    return "\n".join(f'{key}: "{value}"' for key, value in fields.items() if value is not None)
