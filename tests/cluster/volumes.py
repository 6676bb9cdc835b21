"""Volumes of a pod as directories of this machine: ConfigMaps and Secrets as a kubelet writes them, empty ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Final

from tests.cluster.manifests import Document, ManifestError, Manifests

_VERSIONS: Final = count(1)


def mount(pod_spec: Document, container: Document, root: Path, manifests: Manifests) -> dict[str, str]:
    """Write a container's volumes below a directory.

    Args:
        pod_spec: with the volumes.
        container: with the mounts.
        root: stands for the container's file system.
        manifests: hold the ConfigMaps and Secrets.

    Returns:
        Mount path as the manifest has it -> where it is.

    Raises:
        ManifestError: a mount of a volume that is not there, or a volume of what is not there.
    """
    volumes = {volume["name"]: volume for volume in pod_spec.get("volumes", ())}
    places: dict[str, str] = {}
    for wanted in container.get("volumeMounts", ()):
        if wanted["name"] not in volumes:
            raise ManifestError(f"container {container['name']}: no volume {wanted['name']}")
        place = root / wanted["mountPath"].lstrip("/")
        files = _files(volumes[wanted["name"]], manifests)
        if "subPath" in wanted:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((files or {})[wanted["subPath"]])
        else:
            place.mkdir(parents=True, exist_ok=True)
            if files is not None:
                swap(place, files)
        places[wanted["mountPath"]] = str(place)
    return places


def swap(place: Path, files: Mapping[str, bytes]) -> None:
    """Write files so that readers see all old ones or all new ones: kubelet, too, moves a link `..data`."""
    version = place / f"..version-{next(_VERSIONS)}"
    for name, content in files.items():
        path = version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    version.mkdir(exist_ok=True)
    current, following = place / "..data", place / "..data_tmp"
    before = current.readlink() if current.is_symlink() else None
    following.symlink_to(version.name)
    following.replace(current)
    wanted = {name.split("/", 1)[0] for name in files}
    for name in wanted:
        if not (place / name).is_symlink():
            (place / name).symlink_to(f"..data/{name}")
    for entry in place.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if before is not None:
        shutil.rmtree(place / before)


def _files(volume: Document, manifests: Manifests) -> dict[str, bytes] | None:
    """What a volume holds: path -> content; None for one that is empty and writable."""
    if "emptyDir" in volume or "persistentVolumeClaim" in volume:
        return None
    if "projected" in volume:
        found: dict[str, bytes] = {}
        for source in volume["projected"]["sources"]:
            found |= _files(source, manifests) or {}
        return found
    if "configMap" in volume:
        return _held("ConfigMap", volume["configMap"], volume["configMap"]["name"], manifests)
    if "secret" in volume:
        secret = volume["secret"]
        return _held("Secret", secret, secret.get("secretName") or secret["name"], manifests)
    raise ManifestError(f"volume {volume.get('name')}: of a kind that this kubelet does not know: {sorted(volume)}")


def _held(kind: str, said: Document, name: str, manifests: Manifests) -> dict[str, bytes]:
    try:
        held = manifests.data(kind, name)
    except ManifestError:
        if said.get("optional"):
            return {}
        raise
    if "items" not in said:
        return held
    try:
        return {item["path"]: held[item["key"]] for item in said["items"]}
    except KeyError as missing:
        raise ManifestError(f"{kind} {name} has no key {missing}") from None
