"""The table of precisions, `precision.yaml`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from paddlex_triton.network import Family
from paddlex_triton.tensorrt_plans import PrecisionName

_FILE = Path(__file__).with_name("precision.yaml")


class PrecisionEntry(BaseModel):
    """The precision a plan is to be made in, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: PrecisionName
    reason: str


class PrecisionTable(BaseModel):
    """All of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: dict[Family, PrecisionEntry]
    networks: dict[str, PrecisionEntry]

    def of(self, name: str, family: Family) -> PrecisionEntry:
        """Return a network's entry, or its family's.

        Raises:
            KeyError: the family has no plans.
        """
        return self.networks.get(name) or self.families[family]


@lru_cache(maxsize=1)
def precision_table() -> PrecisionTable:
    """Read the table that comes along."""
    return PrecisionTable.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
