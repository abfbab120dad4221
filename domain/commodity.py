"""What the goods bear: storage band, freezing point, chilling threshold, danger band.

Numbers come from ``facts/commodities.csv``, each row with its source and how far it is
trusted: verified, memory or unverified; ``confidence_detail`` says which column is which.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Commodity:
    """Temperatures in degC, humidity in %RH; None where the table is silent."""

    key: str
    name_en: str
    name_zh: str
    category: str
    band_min: Decimal | None
    band_max: Decimal | None
    rh_min: Decimal | None
    rh_max: Decimal | None
    freezing_point: Decimal | None
    chilling_threshold: Decimal | None
    danger_band_min: Decimal | None
    danger_band_max: Decimal | None
    ethylene_production: str  # very_low | low | moderate | high | very_high | n/a
    ethylene_sensitivity: str
    source: str
    confidence: str
    confidence_detail: str


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _read() -> dict[str, Commodity]:
    text = files("domain").joinpath("facts", "commodities.csv").read_text(encoding="utf-8")
    return {
        row["key"]: Commodity(
            key=row["key"],
            name_en=row["name_en"],
            name_zh=row["name_zh"],
            category=row["category"],
            band_min=_number(row["temp_opt_min_c"]),
            band_max=_number(row["temp_opt_max_c"]),
            rh_min=_number(row["rh_min_pct"]),
            rh_max=_number(row["rh_max_pct"]),
            freezing_point=_number(row["freezing_point_c"]),
            chilling_threshold=_number(row["chilling_threshold_c"]),
            danger_band_min=_number(row["danger_band_min_c"]),
            danger_band_max=_number(row["danger_band_max_c"]),
            ethylene_production=row["ethylene_production"],
            ethylene_sensitivity=row["ethylene_sensitivity"],
            source=row["source"],
            confidence=row["confidence"],
            confidence_detail=row["confidence_detail"],
        )
        for row in csv.DictReader(text.splitlines())
    }


COMMODITIES: Mapping[str, Commodity] = MappingProxyType(_read())
