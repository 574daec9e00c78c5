"""`export.json`: the proof that lies beside an exported network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from paddlex_triton.export.paddle.conversion_report import ConversionReport
from paddlex_triton.export.verify import VerificationReport

FILE_NAME = "export.json"


class ExportReport(BaseModel):
    """How a network was made, and what its verification measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    family: str
    source: str
    source_sha256: str
    settings_sha256: str
    sha256: str
    opset: int
    ir_version: int
    versions: dict[str, str]
    seconds: float
    verification: VerificationReport
    # Of networks that came as PaddlePaddle models.
    conversion: ConversionReport | None = None

    def proves(self, flavour: str) -> bool:
        """Return whether the proof says of a flavour's engine what it answers."""
        return all(flavour in case.engines for case in self.verification.cases)

    @classmethod
    def load(cls, path: Path) -> ExportReport:
        """Read an export.json.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it is not an export.json of this format.
        """
        return cls.model_validate_json(path.read_bytes())
