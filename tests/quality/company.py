"""A company small enough for tests: two call graphs in the format of the benchmark data, which is not in here."""

from __future__ import annotations

from pathlib import Path

import orjson

SHOP = [["web", "cart"], ["web", "orders"], ["cart", "store"], ["orders", "store"], ["orders", "mail"]]
TRAINS = [["portal", "seats"], ["seats", "prices"], ["portal", "prices"], ["prices", "tables"]]


def topologies(folder: Path) -> Path:
    """The file with the call graphs."""
    path = folder / "topologies.json"
    path.write_bytes(orjson.dumps({"shop": {"edges": SHOP}, "trains": {"edges": TRAINS}}))
    return path
