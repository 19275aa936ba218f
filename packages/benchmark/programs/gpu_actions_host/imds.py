"""The metadata service of EC2 (version 2, with a token). Never asked on a machine that is no EC2 instance, and given up
after a second: off EC2 a packet to its address may wait for minutes."""

import email.utils
import http.client
import os
import time
import urllib.parse
from typing import Dict, NamedTuple, Optional, Tuple

ENDPOINT = "http://169.254.169.254"
SECONDS = 1.0
TOKEN_SECONDS = 21600


def text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip().lower()
    except OSError:
        return ""


def endpoint(environment: Dict[str, str]) -> Optional[str]:
    """Where to ask; None where nobody would answer. The variables are those that AWS's SDKs know."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    named = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")
    if named:
        return named
    firmware = (text_of("/sys/class/dmi/id/" + name) for name in ("sys_vendor", "bios_vendor", "bios_version"))
    is_instance = any("amazon" in text for text in firmware) or text_of("/sys/hypervisor/uuid").startswith("ec2")
    return ENDPOINT if is_instance else None


class Answer(NamedTuple):
    """`skew_seconds`: this host's clock minus the service's, which tells whole seconds."""

    status: int
    text: str
    skew_seconds: Optional[float]


class Imds:
    def __init__(self, base: str, seconds: float = SECONDS) -> None:
        self.base = urllib.parse.urlsplit(base)
        self.seconds = seconds
        self.token: Optional[str] = None
        self.reachable = self.base.scheme == "http" and self.base.hostname is not None

    def get(self, path: str) -> Optional[str]:
        """Below `latest/`; None for what is not there, or when nobody answers."""
        answer = self.ask(path)
        return answer.text if answer is not None and answer.status == 200 else None

    def ask(self, path: str) -> Optional[Answer]:
        for _ in range(2):
            if self.token is None and not self.renew():
                return None
            answer = self.send("GET", path, ("X-aws-ec2-metadata-token", self.token or ""))
            if answer is None or answer.status != 401:
                return answer
            self.token = None
        return None

    def renew(self) -> bool:
        answer = self.send("PUT", "api/token", ("X-aws-ec2-metadata-token-ttl-seconds", str(TOKEN_SECONDS)))
        self.token = answer.text.strip() if answer is not None and answer.status == 200 else None
        return self.token is not None

    def send(self, method: str, path: str, header: Tuple[str, str]) -> Optional[Answer]:
        if not self.reachable or self.base.hostname is None:
            return None
        # No proxy: the service is this machine's own.
        connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=self.seconds)
        try:
            connection.request(method, self.base.path.rstrip("/") + "/latest/" + path, headers=dict([header]))
            reply = connection.getresponse()
            text = reply.read(65536).decode("utf-8", "replace")
            return Answer(reply.status, text, skew(reply.getheader("Date")))
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()


def skew(date: Optional[str]) -> Optional[float]:
    try:
        told = email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, IndexError):
        return None
    return round(time.time() - told, 3)


def here() -> Optional[Imds]:
    """The service of this machine; None where there is none."""
    base = endpoint(dict(os.environ))
    return None if base is None else Imds(base)
