"""What machine of which cloud this is, and which GPUs are in it. What names one single machine or card is hashed: equal
ones can be told, and nobody else's can be found by it."""

import functools
import hashlib
from typing import Any, Dict, List, Optional

from gpu_actions_host import amd, imds, nvidia_smi
from gpu_actions_host.readings import json_in, mapping, words


def hashed(value: Optional[str]) -> Optional[str]:
    """The first 16 digits of its SHA-256."""
    return None if value is None else hashlib.sha256(value.encode("utf-8")).hexdigest()[:16]


@functools.lru_cache(maxsize=None)
def identity() -> Optional[Dict[str, Any]]:
    """Of an EC2 instance; None elsewhere, and where its metadata service does not answer."""
    service = imds.here()
    if service is None:
        return None
    answer = service.ask("dynamic/instance-identity/document")
    document = mapping(json_in(answer.text)) if answer is not None and answer.status == 200 else {}
    if not document:
        return None

    def meta(path: str) -> Optional[str]:
        return words(service.get("meta-data/" + path))

    return {
        "provider": "ec2",
        "type": words(document.get("instanceType")),
        "id_sha256": hashed(words(document.get("instanceId"))),
        "image_id": words(document.get("imageId")),
        "region": words(document.get("region")),
        "zone": words(document.get("availabilityZone")),
        "zone_id": meta("placement/availability-zone-id"),
        "market": meta("instance-life-cycle"),
        "architecture": words(document.get("architecture")),
        # Minus the time of the answer, which tells whole seconds.
        "clock_skew_seconds": answer.skew_seconds if answer is not None else None,
    }


def instance_type() -> Optional[str]:
    return (identity() or {}).get("type")


@functools.lru_cache(maxsize=None)
def gpus() -> List[Dict[str, Any]]:
    """All of the host, as their driver's tool names them; none without a driver."""
    told = [nvidia_smi.identity(row) for row in nvidia_smi.ask(nvidia_smi.IDENTITY_FIELDS)]
    return told or [amd.smi_identity(gpu) for gpu in amd.ask_static()]


def gpus_hashed() -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = []
    for gpu in gpus():
        named = {name: value for name, value in gpu.items() if name not in ("uuid", "serial")}
        # A serial number of nothing but zeros is none.
        serial = gpu.get("serial")
        serial = None if serial is None or serial.strip("0") == "" else serial
        found.append(dict(named, uuid_sha256=hashed(gpu.get("uuid")), serial_sha256=hashed(serial)))
    return found
