"""The notice that AWS takes a spot machine back, two minutes before it does: asked for every five seconds, as AWS
recommends, on spot machines of EC2 only."""

import json
import threading
from typing import Any, Callable, Dict, Optional

from gpu_actions_host import imds
from gpu_actions_host.readings import words

SECONDS = 5.0


def notice_in(text: Optional[str]) -> Optional[Dict[str, Any]]:
    """Of `spot/instance-action`: what becomes of the machine, and when."""
    try:
        told = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    action = words(told.get("action")) if isinstance(told, dict) else None
    return None if action is None else {"action": action, "time": words(told.get("time"))}


def is_spot(service: imds.Imds) -> bool:
    return (service.get("meta-data/instance-life-cycle") or "").strip() == "spot"


def watch(tell: Callable[..., None], ended: threading.Event, seconds: float = SECONDS) -> None:
    """Tells once, and returns then; at once where there is nothing to hear of."""
    service = imds.here()
    if service is None or not is_spot(service):
        return
    while True:
        notice = notice_in(service.get("meta-data/spot/instance-action"))
        if notice is not None:
            tell("spot-notice", **notice)
            return
        if ended.wait(seconds):
            return


def start(tell: Callable[..., None]) -> threading.Event:
    """Watches in a thread of its own until the event is set."""
    ended = threading.Event()
    threading.Thread(target=watch, args=(tell, ended), daemon=True).start()
    return ended
