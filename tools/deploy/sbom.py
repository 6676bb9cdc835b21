"""The bill of materials of the environment that runs this, as CycloneDX 1.6: ``python3 tools/deploy/sbom.py``.

Nothing but the standard library: it runs inside of the environment that it describes. Twice the same environment gives
the same bytes. Packages of the base image are not its business; a scanner of the whole image (syft) adds them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any, Final

SPEC_VERSION: Final = "1.6"
PRODUCT: Final = "spillway"
LICENSE_CHARACTERS_MAX: Final = 100
"""Some packages put the whole text of their licence where its name belongs."""

_REQUIRED: Final = re.compile(r"^[A-Za-z0-9._-]+")


def canonical(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(found: Iterable[Distribution]) -> dict[str, Any]:
    """The bill of these installed packages, the product at its head.

    Raises:
        LookupError: the product itself is not among them.
    """
    by_name = {canonical(each.metadata["Name"]): each for each in found}
    if PRODUCT not in by_name:
        raise LookupError(f"{PRODUCT} is not installed in this environment: run its own python3")
    components = {name: _component(name, by_name[name]) for name in sorted(by_name)}
    head = {**components.pop(PRODUCT), "type": "application"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {"component": head},
        "components": list(components.values()),
        "dependencies": [_needs(name, by_name) for name in sorted(by_name)],
    }


def _purl(name: str, package: Distribution) -> str:
    return f"pkg:pypi/{name}@{package.version}"


def _component(name: str, package: Distribution) -> dict[str, Any]:
    purl = _purl(name, package)
    document: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
    }
    if license_ := _license(package):
        document["licenses"] = [license_]
    return document


def _license(package: Distribution) -> dict[str, Any] | None:
    if expression := _said(package, "License-Expression"):
        return {"expression": expression}
    named = [each for each in package.metadata.get_all("Classifier") or () if each.startswith("License :: ")]
    if named:
        return {"license": {"name": named[0].rpartition(" :: ")[2]}}
    written = _said(package, "License")
    return {"license": {"name": written}} if 0 < len(written) <= LICENSE_CHARACTERS_MAX else None


def _said(package: Distribution, field: str) -> str:
    """What a package says in a field of its metadata; nothing where it says none."""
    found: list[str] = package.metadata.get_all(field) or []
    return found[0].strip() if found else ""


def _needs(name: str, by_name: dict[str, Distribution]) -> dict[str, Any]:
    """What of the installed a package asks for; what it would ask for elsewhere is not there."""
    asked = (_REQUIRED.match(each) for each in by_name[name].requires or ())
    needed = {canonical(each[0]) for each in asked if each} & set(by_name)
    return {
        "ref": _purl(name, by_name[name]),
        "dependsOn": sorted(_purl(each, by_name[each]) for each in needed - {name}),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bill(distributions()), indent=1) + "\n")
