"""The report of a conversion: what was done, and how far PaddlePaddle's answers and the ONNX file's lie apart."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, ConfigDict, Field


class OutputDifference(BaseModel):
    """One output of one input.

    Attributes:
        shape: of PaddlePaddle's answer.
        range: between its least and largest value; 0 for one without values.
        difference: the largest one of two values. Of whole numbers: the part of them that are not equal. Of rows of
            boxes: of those that count, coordinates as parts of the page.
        relative: `difference` as a part of `range`, or of 1 where the range is smaller.
        mean: the mean difference, as a part of the same; None for rows and whole numbers.
        beyond: the part of the values, or of the rows, whose relative difference is more than the tolerance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: list[int]
    range: float
    difference: float
    relative: float
    mean: float | None = None
    beyond: float = 0.0


class ProofCase(BaseModel):
    """One input: its shapes by name, and the outputs in the model's order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    inputs: dict[str, list[int]]
    outputs: list[OutputDifference]


class ConversionReport(BaseModel):
    """How a PaddlePaddle model became an ONNX file.

    Attributes:
        files: the model's, graph first.
        source_sha256: of both, see `PaddleModel.sha256`.
        onnx_sha256: of what came out.
        converters: tool -> version.
        opset: asked for.
        patched_operators: how many had numbers rewritten from float64 to float32, see `dtype_patch`.
        folded: whether constants were folded.
        peak_mib: the most memory converting took.
        seconds: of the conversion.
        proof_seconds: of the proof.
        tolerance: what `relative` may be at most; in a page that comes out, for all but few of its values.
        mean_tolerance: what `mean` may be at most.
        max_difference: the largest `difference`.
        max_relative_difference: the largest `relative`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    files: list[str]
    source_sha256: str
    onnx_sha256: str
    converters: dict[str, str]
    opset: int
    # Reports of conversions that are kept have the other name.
    patched_operators: int = Field(validation_alias=AliasChoices("patched_operators", "mended_operators"))
    folded: bool
    peak_mib: int
    seconds: float
    proof_seconds: float
    tolerance: float
    mean_tolerance: float
    max_difference: float
    max_relative_difference: float
    cases: list[ProofCase]
