#!/usr/bin/env python3
"""Takes ResNet-50 jobs from the cluster API and runs them on this machine.

One file, standard library only, Python 3.8 or later. Speaks to four endpoints below /v1/clusters/{id}: auth/exchange,
heartbeat, jobs/poll and jobs/{job}/complete. What it promises:

- Heartbeats go on while a job runs, and each reads the list of GPUs anew.
- A job that it has taken is stored before it starts, and its result is stored until the server has accepted it: a
  restart, on either side, loses no result and runs no job twice.
- A stored cluster token wins over a one-time token. No token is in a log line, an argument or a variable of the
  environment.

    gpu_actions_agent.py --config /etc/gpu-actions/agent.json --state /var/lib/gpu-actions-agent/state
"""

import argparse
import codecs
import contextlib
import fcntl
import hashlib
import http.client
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

VERSION = "0.1.0"

EXIT_CONFIGURATION = 2
EXIT_TOKEN = 3
EXIT_LOCKED = 4
# Nothing that another start would put right.
FINAL_EXITS = (0, EXIT_CONFIGURATION, EXIT_TOKEN, EXIT_LOCKED)

STDOUT_KEPT = 5000
STDERR_KEPT = 2000
ERROR_KEPT = 500
# No line that means something is longer; a program may print gigabytes without a newline.
LINE_KEPT = 65_536
REPLY_BYTES = 1_000_000
# Between asking a job's processes to end and killing them, in seconds.
GRACE_SECONDS = 5.0
RETRIED_CODES = (408, 425, 429)
# Of the reference's agent; a job that names neither still runs as the server expects.
DEFAULT_EPOCHS, DEFAULT_BATCH_SIZE = 1, 64
BENCHMARK_KIND = "resnet50_benchmark"
DEFAULT_IMAGE = "iangreen74/radix-resnet50-benchmark:latest"


class Unreachable(Exception):
    """No usable answer, after all tries."""


class Refused(Exception):
    """The server answered, and trying again would not change the answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the server answered {code}: {message}" if message else f"the server answered {code}")
        self.code = code
        self.message = message


class TokenRefused(Exception):
    """No token that this agent has or can get is accepted."""


class TokenSpent(TokenRefused):
    """There was a one-time token, it was not accepted, and there is no other: waiting changes nothing."""


class JobRefused(Exception):
    """This agent does not run the job; the words go to the server."""


class Stopping(Exception):
    """The agent was asked to end."""


# Logging


class Log:
    """JSON lines on standard output. Whatever was named a secret is replaced in every one of them."""

    def __init__(self) -> None:
        self._secrets: List[str] = []
        self._lock = threading.Lock()

    def secret(self, text: str) -> None:
        if len(text) >= 4 and text not in self._secrets:
            self._secrets.append(text)

    def scrub(self, text: str) -> str:
        for secret in self._secrets:
            for shape in (secret, json.dumps(secret)[1:-1]):
                text = text.replace(shape, "***")
        return text

    def __call__(self, event: str, level: str = "info", **fields: Any) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = self.scrub(json.dumps({"at": at, "level": level, "event": event, **fields}, default=str))
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


# Files


def read_text(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def write_private(path: str, text: str) -> None:
    """Readable by this user only from its first byte on, and whole or not there."""
    temporary = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# Configuration


class Configuration(NamedTuple):
    api_base: str
    cluster_id: str
    tenant_id: str
    # {"parameter": name, "region": region} or {"file": path}; None: standard input, or a stored token.
    one_time_token: Optional[Dict[str, str]]
    execution: str
    python: str
    program: str
    image: str
    distributed: bool
    steps_per_epoch: Optional[int]
    image_size: Optional[int]
    threads: Optional[int]
    allow_cpu: bool
    poll_seconds: float
    heartbeat_seconds: float
    job_seconds: float
    request_seconds: float
    retry_seconds: float
    # How long the server may refuse the token, or not know the cluster, before the agent gives up.
    refused_seconds: float


class Reader:
    """Reads one JSON object, and collects everything that is wrong with it."""

    def __init__(self, given: Dict[str, Any], faults: List[str], where: str = "") -> None:
        self.given, self.faults, self.where = given, faults, where

    def _take(self, name: str, variable: Optional[str]) -> Any:
        value = os.environ.get(variable, "") if variable else ""
        return value if value != "" else self.given.get(name)

    def text(self, name: str, default: Optional[str] = None, variable: Optional[str] = None) -> str:
        value = self._take(name, variable)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value != "":
            return value
        self.faults.append(f"{self.where}{name}: {'missing' if value is None else 'must be text'}")
        return ""

    def seconds(self, name: str, default: float, variable: Optional[str] = None) -> float:
        value = self._take(name, variable)
        try:
            number = default if value is None else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(value, bool) or not 0 < number < math.inf:
            self.faults.append(f"{self.where}{name}: must be a number of seconds above 0, not {value!r}")
        return number

    def whole(self, name: str, variable: Optional[str] = None) -> Optional[int]:
        value = self._take(name, variable)
        if value is None:
            return None
        number = whole(value)
        if number is None:
            self.faults.append(f"{self.where}{name}: must be a whole number of at least 1, not {value!r}")
        return number

    def truth(self, name: str, variable: Optional[str] = None) -> bool:
        value = self._take(name, variable)
        if isinstance(value, bool) or value is None:
            return bool(value)
        if value in ("true", "false"):
            return value == "true"
        self.faults.append(f"{self.where}{name}: must be true or false, not {value!r}")
        return False


def whole(value: Any) -> Optional[int]:
    """A whole number of at least 1, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def read_configuration(path: Optional[str], program: Optional[str]) -> Tuple[Configuration, List[str]]:
    """The configuration, and everything that is wrong with it. Variables of the environment win over the file."""
    faults: List[str] = []
    given: Any = {}
    if path is not None:
        text = read_text(path)
        try:
            given = json.loads(text) if text is not None else None
        except ValueError:
            given = None
        if not isinstance(given, dict):
            faults.append(f"{path}: {'cannot be read' if text is None else 'holds no JSON object'}")
            given = {}
    reader = Reader(given, faults)
    benchmark = given.get("benchmark", {})
    sizes = Reader(benchmark if isinstance(benchmark, dict) else {}, faults, "benchmark.")
    source = given.get("oneTimeToken")
    if source is not None and not is_token_source(source):
        faults.append('oneTimeToken: must be {"parameter", "region"} or {"file"}')
        source = None
    execution = reader.text("execution", "process")
    if execution not in ("process", "container"):
        faults.append(f"execution: must be process or container, not {execution!r}")
    base = reader.text("apiBase", variable="RADIX_API_BASE").rstrip("/")
    if base and not base.startswith(("https://", "http://")):
        faults.append(f"apiBase: must begin with https://, not {base!r}")
    made = Configuration(
        api_base=base,
        cluster_id=reader.text("clusterId", variable="RADIX_CLUSTER_ID"),
        tenant_id=reader.text("tenantId", "demo-tenant", "RADIX_TENANT_ID"),
        one_time_token=source,
        execution=execution,
        python=reader.text("python", sys.executable),
        program=program or reader.text("program", "" if execution == "container" else None),
        image=reader.text("image", DEFAULT_IMAGE),
        distributed=sizes.truth("distributed"),
        steps_per_epoch=sizes.whole("stepsPerEpoch", "GPU_ACTIONS_STEPS_PER_EPOCH"),
        image_size=sizes.whole("imageSize", "GPU_ACTIONS_IMAGE_SIZE"),
        threads=sizes.whole("threads", "GPU_ACTIONS_THREADS"),
        allow_cpu=sizes.truth("allowCpu", "GPU_ACTIONS_ALLOW_CPU"),
        poll_seconds=reader.seconds("pollSeconds", 5, "RADIX_POLL_INTERVAL_SECONDS"),
        heartbeat_seconds=reader.seconds("heartbeatSeconds", 30),
        job_seconds=reader.seconds("jobSeconds", 7200),
        request_seconds=reader.seconds("requestSeconds", 30),
        retry_seconds=reader.seconds("retrySeconds", 2),
        refused_seconds=reader.seconds("refusedSeconds", 600),
    )
    return made, faults


def is_token_source(source: Any) -> bool:
    return isinstance(source, dict) and (
        all(isinstance(source.get(name), str) and source[name] for name in ("parameter", "region"))
        or (isinstance(source.get("file"), str) and source["file"] != "")
    )


# Talking to the server


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Api:
    """Requests that are tried again: closed connections, slow servers, 429 and 5xx."""

    def __init__(self, configuration: Configuration, stop: threading.Event) -> None:
        self._base = configuration.api_base
        self._cluster = urllib.parse.quote(configuration.cluster_id, safe="")
        self._timeout = configuration.request_seconds
        self._pause = configuration.retry_seconds
        self._stop = stop
        self._opener = urllib.request.build_opener(NoRedirect())

    def cluster(self, path: str, body: Any, headers: Dict[str, str], tries: int = 4, final: bool = False) -> Any:
        return self.send("POST", f"/v1/clusters/{self._cluster}/{path}", body, headers, tries, final)

    def send(
        self, method: str, path: str, body: Any, headers: Dict[str, str], tries: int = 4, final: bool = False
    ) -> Any:
        """The reply's JSON, {} where it has none. `final`: goes on although the agent was asked to end.

        Raises Refused, Unreachable, Stopping.
        """
        for attempt in range(1, tries + 1):
            if self._stop.is_set() and not final:
                raise Stopping
            try:
                return self._once(method, path, body, headers)
            except urllib.error.HTTPError as error:
                with error:
                    message = reply_message(error)
                if error.code not in RETRIED_CODES and error.code < 500:
                    raise Refused(error.code, message) from None
                failure: Exception = Refused(error.code, message)
                wait = retry_after(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure, wait = error, None
            if attempt == tries:
                break
            pause = min(self._pause * 2 ** (attempt - 1), self._pause * 5) if wait is None else wait
            self._sleep(pause * (0.5 + random.random()), final)
        raise Unreachable(f"{method} {path.rpartition('/')[2]}: {describe(failure)}") from None

    def _sleep(self, seconds: float, final: bool) -> None:
        if final:
            time.sleep(min(seconds, 1))
        elif self._stop.wait(seconds):
            raise Stopping

    def _once(self, method: str, path: str, body: Any, headers: Dict[str, str]) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data if method == "POST" else None, method=method)
        request.add_header("User-Agent", f"gpu-actions-agent/{VERSION}")
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
        deadline = time.monotonic() + self._timeout
        with self._opener.open(request, timeout=self._timeout) as response:
            parts: List[bytes] = []
            while True:
                # The socket's own limit starts anew with every byte of a server that drips.
                if time.monotonic() > deadline:
                    raise socket.timeout("the reply took too long")
                part = response.read1(65_536)
                if not part:
                    break
                parts.append(part)
                if sum(map(len, parts)) > REPLY_BYTES:
                    raise ValueError("the reply is too big")
            return read_reply(b"".join(parts), response.headers.get("Content-Length"))


def read_reply(raw: bytes, length: Optional[str]) -> Any:
    if length is not None and length.isdigit() and len(raw) < int(length):
        raise ValueError("the connection was closed in the middle of the reply")
    if not raw.strip():
        return {}
    return json.loads(raw.decode("utf-8"))


def reply_message(error: urllib.error.HTTPError) -> str:
    """What an error reply says, in short."""
    try:
        raw = error.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    with contextlib.suppress(ValueError):
        found = json.loads(raw)
        if isinstance(found, dict):
            for name in ("message", "detail", "error"):
                if isinstance(found.get(name), str):
                    raw = found[name]
                    break
    return " ".join(raw.split())[:300]


def retry_after(text: Optional[str]) -> Optional[float]:
    return min(float(text), 60.0) if text is not None and text.isascii() and text.isdigit() else None


def describe(failure: BaseException) -> str:
    reason = failure.reason if isinstance(failure, urllib.error.URLError) else failure
    return str(reason) or type(reason).__name__


def is_gone(error: Exception) -> bool:
    """The cluster was deleted, or never was."""
    return isinstance(error, Refused) and error.code in (404, 410)


# Tokens


class OneTimeToken:
    """Where the one-time token is; it is read when it is needed and destroyed when it was used."""

    def __init__(self, source: Optional[Dict[str, str]], given: Optional[str], log: Log) -> None:
        self._source, self._given, self._log = source, given, log

    def read(self) -> Optional[str]:
        found = self._given
        if not found and self._source is not None:
            if "file" in self._source:
                found = read_text(self._source["file"])
            else:
                found = read_parameter(self._source["parameter"], self._source["region"], self._log)
        found = found.strip() if found is not None else ""
        if not found:
            return None
        self._log.secret(found)
        return found

    def destroy(self) -> None:
        self._given = None
        if self._source is None:
            return
        try:
            if "file" in self._source:
                remove(self._source["file"])
            else:
                delete_parameter(self._source["parameter"], self._source["region"])
        except Exception as error:
            # It is spent, and whoever put it there removes it, too.
            self._log("one-time-token-not-removed", "warning", reason=str(error)[:300])


def aws_cli(*arguments: str) -> str:
    done = subprocess.run(
        ["aws", "ssm", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace").strip()[-300:] or f"exit code {done.returncode}")
    return done.stdout.decode("utf-8")


def read_parameter(name: str, region: str, log: Log) -> Optional[str]:
    try:
        if shutil.which("aws"):
            query = ["--query", "Parameter.Value", "--output", "text", "--region", region]
            return aws_cli("get-parameter", "--name", name, "--with-decryption", *query)
        import boto3  # type: ignore[import-not-found]

        found = boto3.client("ssm", region_name=region).get_parameter(Name=name, WithDecryption=True)
        return str(found["Parameter"]["Value"])
    except ImportError:
        log("one-time-token-unreadable", "error", reason="this machine has neither the AWS CLI nor boto3")
    except Exception as error:
        log("one-time-token-unreadable", "warning", reason=str(error)[:300])
    return None


def delete_parameter(name: str, region: str) -> None:
    if shutil.which("aws"):
        aws_cli("delete-parameter", "--name", name, "--region", region)
        return
    import boto3  # type: ignore[import-not-found]

    boto3.client("ssm", region_name=region).delete_parameter(Name=name)


class Session:
    """The cluster token, and requests that carry it. Used by two threads."""

    def __init__(self, configuration: Configuration, api: Api, one_time: OneTimeToken, state: str, log: Log) -> None:
        self._configuration, self._api, self._one_time, self._log = configuration, api, one_time, log
        self._path = os.path.join(state, "cluster-token")
        self._spent_path = os.path.join(state, "spent")
        self._lock = threading.Lock()
        self._token = (read_text(self._path) or "").strip()
        self._proven = False
        if self._token:
            log.secret(self._token)
            log("token-stored", message="Using the stored cluster token")

    def call(self, path: str, body: Any, tries: int = 4, final: bool = False) -> Any:
        """Raises Refused, Unreachable, TokenRefused, Stopping."""
        token = self._token or self._renew("")
        try:
            reply = self._send(path, body, token, tries, final)
        except Refused as refused:
            if refused.code not in (401, 403):
                raise
            if final:
                raise TokenRefused(str(refused)) from None
            token = self._renew(token, str(refused))
            try:
                reply = self._send(path, body, token, tries, final)
            except Refused as again:
                if again.code not in (401, 403):
                    raise
                raise TokenRefused(str(again)) from None
        if not self._proven:
            self._proven = True
            self._one_time.destroy()
        return reply

    def _send(self, path: str, body: Any, token: str, tries: int, final: bool) -> Any:
        headers = {"X-Radix-Cluster-Token": token, "X-Radix-Tenant-Id": self._configuration.tenant_id}
        return self._api.cluster(path, body, headers, tries, final)

    def _renew(self, refused: str, why: str = "there is no cluster token") -> str:
        """Another token than the one that was refused: one that the other thread has got, or a new exchange."""
        with self._lock:
            if self._token and self._token != refused:
                return self._token
            one_time = self._one_time.read()
            if one_time is None:
                raise TokenRefused(f"{why}, and there is no one-time token")
            if short_hash(one_time) == (read_text(self._spent_path) or ""):
                raise (TokenRefused if self._token else TokenSpent)(f"{why}, and the one-time token was spent before")
            self._token = self._exchange(one_time)
            write_private(self._path, self._token)
            # Once: what lies there later is a new one, for later.
            self._proven = True
            self._one_time.destroy()
            self._log("token-exchanged", message="The one-time token became a cluster token")
            return self._token

    def _exchange(self, one_time: str) -> str:
        headers = {"X-Radix-One-Time-Token": one_time, "X-Radix-Tenant-Id": self._configuration.tenant_id}
        for attempt in (1, 2):
            try:
                reply = self._api.cluster("auth/exchange", None, headers)
                break
            except Refused as refused:
                # Gateways have been seen to lose a header once.
                if attempt == 1 and refused.code == 401 and "x-radix" in refused.message.lower():
                    continue
                words = f"the one-time token was not accepted: {refused}"
                if refused.code not in (401, 403, 409, 410):
                    raise TokenRefused(words) from None
                write_private(self._spent_path, short_hash(one_time))
                raise (TokenRefused if self._token else TokenSpent)(words) from None
        token = reply.get("cluster_token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or not token:
            write_private(self._spent_path, short_hash(one_time))
            raise TokenSpent("the reply to the one-time token holds no cluster_token")
        self._log.secret(token)
        return token


# What this machine has


def gpus() -> List[Dict[str, str]]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(",", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if "," in line]
    return [{"name": name.strip(), "memory": memory.strip()} for name, memory in rows]


def capabilities() -> Dict[str, Any]:
    found = gpus()
    try:
        memory: Optional[float] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError):
        memory = None
    return {"cpu_count": os.cpu_count(), "memory_gb": memory, "gpus": found, "gpu_count": len(found)}


# The journal: which jobs were taken, and what became of them


class Journal:
    """One file a job. `accepted` (not begun), `begun`, `finished` (to be reported), `reported`."""

    KEPT = 1000

    def __init__(self, folder: str, log: Log) -> None:
        self._folder, self._log = folder, log
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.entries: Dict[str, Dict[str, Any]] = {}
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".json"):
                continue
            try:
                entry = json.loads(read_text(os.path.join(folder, name)) or "")
                self.entries[entry["job_id"]] = entry
            except (ValueError, KeyError, TypeError):
                log("journal-unreadable", "error", file=name)

    def put(self, entry: Dict[str, Any], **changes: Any) -> bool:
        """Whether it is on the disk."""
        entry.update(changes)
        self.entries[entry["job_id"]] = entry
        try:
            write_private(self._path(entry), json.dumps(entry))
        except OSError as error:
            self._log("journal-not-written", "error", job=entry["job_id"], reason=str(error))
            return False
        self._prune()
        return True

    def in_state(self, *states: str) -> List[Dict[str, Any]]:
        found = [entry for entry in self.entries.values() if entry["state"] in states]
        return sorted(found, key=lambda entry: entry.get("accepted_at", 0))

    def _path(self, entry: Dict[str, Any]) -> str:
        return os.path.join(self._folder, short_hash(entry["job_id"]) + ".json")

    def _prune(self) -> None:
        done = self.in_state("reported")
        for entry in done[: max(0, len(done) - self.KEPT)]:
            remove(self._path(entry))
            del self.entries[entry["job_id"]]


# Running a job


class Command(NamedTuple):
    words: List[str]
    environment: Dict[str, str]
    # Set where the processes belong to a container engine and not to us.
    container: Optional[str]


class Sizes(NamedTuple):
    epochs: int
    batch_size: int
    steps_per_epoch: Optional[int]
    image_size: Optional[int]


def job_sizes(job: Dict[str, Any], configuration: Configuration) -> Sizes:
    given = job.get("params")
    if given is not None and not isinstance(given, dict):
        raise JobRefused("params: must be an object")
    given = given or {}
    faults: List[str] = []

    def take(name: str, default: Optional[int]) -> Optional[int]:
        if given.get(name) is None:
            return default
        number = whole(given[name])
        if number is None:
            faults.append(f"{name}: must be a whole number of at least 1, not {given[name]!r}")
        return number

    sizes = Sizes(
        take("epochs", DEFAULT_EPOCHS) or 1,
        take("batch_size", DEFAULT_BATCH_SIZE) or 1,
        take("steps_per_epoch", configuration.steps_per_epoch),
        take("image_size", configuration.image_size),
    )
    if faults:
        raise JobRefused("; ".join(faults))
    return sizes


def job_command(job: Dict[str, Any], configuration: Configuration, gpu_count: int) -> Tuple[Command, Sizes]:
    """The one place that decides how a job runs. Raises JobRefused."""
    kind = job.get("job_kind") or job.get("kind")
    if kind != BENCHMARK_KIND:
        raise JobRefused(f"this agent runs {BENCHMARK_KIND} and no job of kind {kind!r}")
    sizes = job_sizes(job, configuration)
    count = wanted_gpus(job, configuration, gpu_count)
    flags = ["--epochs", str(sizes.epochs), "--batch-size", str(sizes.batch_size)]
    if sizes.steps_per_epoch is not None:
        flags += ["--steps-per-epoch", str(sizes.steps_per_epoch)]
    if configuration.allow_cpu:
        flags.append("--allow-cpu")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RADIX_")}
    if configuration.execution == "container":
        name = f"gpu-actions-{short_hash(job['job_id'])}"
        image = job.get("image") if isinstance(job.get("image"), str) and job["image"] else configuration.image
        if not isinstance(image, str) or image.startswith("-"):
            raise JobRefused(f"image: {image!r} is no reference of an image")
        words = ["docker", "run", "--rm", "--name", name, "-w", "/app", *(["--gpus", "all"] if gpu_count else [])]
        launcher = ["torchrun", "--standalone", f"--nproc_per_node={count}"] if count > 1 else ["python"]
        return Command([*words, image, *launcher, "train_resnet50.py", *flags], environment, name), sizes
    if sizes.image_size is not None:
        flags += ["--image-size", str(sizes.image_size)]
    if configuration.threads is not None:
        flags += ["--threads", str(configuration.threads)]
    launcher = [configuration.python]
    if count > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
    return Command([*launcher, configuration.program, "resnet50", "--compatible", *flags], environment, None), sizes


def wanted_gpus(job: Dict[str, Any], configuration: Configuration, gpu_count: int) -> int:
    orchestration = job.get("orchestration")
    asked = orchestration.get("num_gpus") if isinstance(orchestration, dict) else None
    count = 1 if asked is None else whole(asked)
    if count is None:
        raise JobRefused(f"orchestration.num_gpus: must be a whole number of at least 1, not {asked!r}")
    if count > 1 and not configuration.distributed:
        raise JobRefused(
            f"{count} GPUs were asked for, and the benchmark program trains on one: under torchrun each process would "
            "measure by itself. Ask for one GPU, or configure a program that trains distributed (benchmark.distributed)"
        )
    if count > 1 and count > gpu_count and not configuration.allow_cpu:
        raise JobRefused(f"{count} GPUs were asked for; this machine has {gpu_count}")
    return count


class Output(threading.Thread):
    """Reads one pipe to its end: keeps the first and the last characters, and hands over each line."""

    def __init__(self, pipe: Any, kept: int, hear: Optional[Callable[[str], None]] = None) -> None:
        super().__init__(daemon=True)
        self._pipe, self._kept, self._hear = pipe, kept, hear
        self.head, self.tail = "", ""

    def run(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        rest = ""
        with contextlib.suppress(OSError, ValueError):
            while True:
                raw = os.read(self._pipe.fileno(), 65_536)
                text = decode(raw, final=not raw)
                self.head = (self.head + text)[:ERROR_KEPT]
                self.tail = (self.tail + text)[-self._kept :]
                if self._hear is not None:
                    *lines, rest = (rest + text).split("\n")
                    for line in lines if raw else [*lines, rest]:
                        self._hear(line)
                    rest = rest[-LINE_KEPT:]
                if not raw:
                    return


class Figures:
    """What the program's output says, line by line. The last match counts."""

    def __init__(self) -> None:
        self.printed: Optional[float] = None
        self.metrics: Optional[float] = None
        self.fault: Optional[str] = None

    @property
    def throughput(self) -> Optional[float]:
        return self.printed if self.printed is not None else self.metrics

    def hear(self, line: str) -> None:
        if "images/sec" in line.lower():
            words = line.split()
            for before, word in zip(["", *words], words):
                at = word.lower().find("images/sec")
                if at >= 0:
                    self.printed = figure(word[:at]) or figure(before.rpartition("=")[2]) or self.printed
        if line.startswith("{"):
            with contextlib.suppress(ValueError, AttributeError):
                found = json.loads(line)
                self.metrics = figure(found.get("radix_metrics", {}).get("images_per_second")) or self.metrics
                if found.get("event") == "error":
                    self.fault = str(found.get("message"))[:ERROR_KEPT]


def figure(value: Any) -> Optional[float]:
    """A finite number above 0, or None: a missing figure is never 0."""
    try:
        number = float(value.strip("():=,") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < math.inf else None


class Ran(NamedTuple):
    # exited, timed-out or stopped.
    how: str
    exit_code: int
    seconds: float
    stdout: str
    stderr: str
    stderr_head: str
    throughput: Optional[float]
    fault: Optional[str]


def run_command(
    command: Command, folder: str, limit: float, stop: threading.Event, started: Callable[[int], None]
) -> Ran:
    """Raises OSError when it could not be started."""
    began = time.monotonic()
    process = subprocess.Popen(
        command.words,
        cwd=folder,
        env=command.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    started(process.pid)
    figures = Figures()
    out = Output(process.stdout, STDOUT_KEPT, figures.hear)
    err = Output(process.stderr, STDERR_KEPT)
    out.start()
    err.start()
    how = wait_for(process, began + limit, stop)
    seconds = time.monotonic() - began
    # What the program left behind goes, too: it would disturb the next measurement.
    end_processes(process.pid, command.container, process)
    for reader in (out, err):
        reader.join(2)
    code = process.returncode if process.returncode is not None else -9
    return Ran(how, code, seconds, out.tail, err.tail, err.head, figures.throughput, figures.fault)


def wait_for(process: "subprocess.Popen[bytes]", deadline: float, stop: threading.Event) -> str:
    while True:
        try:
            process.wait(0.2)
            return "exited"
        except subprocess.TimeoutExpired:
            if stop.is_set():
                return "stopped"
            if time.monotonic() >= deadline:
                return "timed-out"


def end_processes(group: int, container: Optional[str], process: Optional["subprocess.Popen[bytes]"] = None) -> None:
    """Ends a job's process group: asks, then kills. A container is ended by its engine."""
    if container is not None and (process is None or process.poll() is None):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                ["docker", "rm", "--force", container],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=30,
                check=False,
            )
    deadline = time.monotonic() + GRACE_SECONDS
    number = signal.SIGTERM
    while True:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            break
        if number == signal.SIGKILL:
            break
        if process is not None:
            process.poll()
        if time.monotonic() >= deadline:
            number = signal.SIGKILL
            continue
        time.sleep(0.05)
        if not group_lives(group):
            break
    if process is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def process_mark(pid: int) -> str:
    """Tells a process from a later one with the same number; empty where the system does not say."""
    stat = read_text(f"/proc/{pid}/stat")
    boot = read_text("/proc/sys/kernel/random/boot_id")
    if stat is None or boot is None:
        return ""
    return f"{boot.strip()} {stat.rpartition(')')[2].split()[19]}"


def completion(tenant: str, ran: Ran, sizes: Sizes, limit: float, log: Log) -> Dict[str, Any]:
    report: Dict[str, Any] = {
        "tenant_id": tenant,
        "status": "failed",
        "output_payload": {"stdout": log.scrub(ran.stdout), "stderr": log.scrub(ran.stderr)},
        "metrics": {},
        "error_message": None,
    }
    if ran.how == "timed-out":
        report["error_message"] = f"The job ran longer than {limit:g} seconds and was ended"
        return report
    if ran.how == "stopped":
        report["error_message"] = "The agent was asked to end while the job ran; the job was ended with it"
        return report
    report["metrics"] = {
        "duration_seconds": round(ran.seconds, 3),
        "throughput_images_per_sec": ran.throughput,
        "exit_code": ran.exit_code,
        "epochs": sizes.epochs,
        "batch_size": sizes.batch_size,
    }
    if ran.exit_code == 0:
        report["status"] = "succeeded"
    else:
        why = ran.fault or ran.stderr_head.strip()[:ERROR_KEPT] or "it printed no reason"
        report["error_message"] = log.scrub(f"Exit code {ran.exit_code}: {why}")
    return report


def failure(tenant: str, words: str) -> Dict[str, Any]:
    return {
        "tenant_id": tenant,
        "status": "failed",
        "output_payload": {"stdout": "", "stderr": ""},
        "metrics": {},
        "error_message": words,
    }


# The agent


class Agent:
    def __init__(self, configuration: Configuration, state: str, given: Optional[str], log: Log) -> None:
        self.configuration, self.log = configuration, log
        self.stop = threading.Event()
        self._beaten = threading.Event()
        # A folder for each cluster: the token and the jobs of another one mean nothing to this one.
        self._state = os.path.join(state, short_hash(configuration.cluster_id))
        os.makedirs(self._state, mode=0o700, exist_ok=True)
        self._lock_file = lock(os.path.join(self._state, "lock"), configuration.retry_seconds * 5)
        self._journal = Journal(os.path.join(self._state, "jobs"), log)
        one_time = OneTimeToken(configuration.one_time_token, given, log)
        self._session = Session(configuration, Api(configuration, self.stop), one_time, self._state, log)
        self._gave_up = 0
        self._refused_since: Optional[float] = None
        self._last_trouble = ""

    def run(self) -> int:
        """Until it is asked to end. Raises TokenRefused."""
        self._bury()
        beat = threading.Thread(target=self._heartbeats, daemon=True)
        beat.start()
        try:
            while not self.stop.is_set():
                try:
                    worked = self._beaten.is_set() and self._turn()
                    self._fine()
                except (Unreachable, Refused, TokenRefused) as error:
                    worked = False
                    self._trouble(error)
                if not worked:
                    # Spread out, so that many agents do not ask in step.
                    wait = self.configuration.poll_seconds if self._beaten.is_set() else 0.1
                    self.stop.wait(wait * (0.8 + 0.4 * random.random()))
        except Stopping:
            pass
        self._say_goodbye()
        return 0

    def _turn(self) -> bool:
        """Reports what is finished, takes and runs what there is. Whether there was anything."""
        self._report()
        waiting = self._journal.in_state("accepted") or self._poll()
        for entry in waiting:
            if self.stop.is_set():
                break
            self._work(entry)
        return bool(waiting)

    def _poll(self) -> List[Dict[str, Any]]:
        reply = self._session.call("jobs/poll", {"max_jobs": 1})
        jobs = reply.get("jobs") if isinstance(reply, dict) else None
        taken: List[Dict[str, Any]] = []
        for job in jobs if isinstance(jobs, list) else []:
            job_id = job.get("job_id", job.get("id")) if isinstance(job, dict) else None
            if not isinstance(job_id, str) or not job_id:
                self.log("job-unreadable", "warning")
                continue
            known = self._journal.entries.get(job_id)
            if known is None:
                entry = {"job_id": job_id, "state": "accepted", "job": dict(job, job_id=job_id)}
                self._journal.put(entry, accepted_at=time.time())
                self.log("job-accepted", job=job_id)
                taken.append(entry)
            elif known["state"] == "reported":
                # The server has forgotten that it knows the result.
                self.log("job-known", "warning", job=job_id, message="Offered again: reported again, not run again")
                self._journal.put(known, state="finished", refusals=0)
        return taken

    def _work(self, entry: Dict[str, Any]) -> None:
        job_id, tenant = entry["job_id"], self.configuration.tenant_id
        if not self._journal.put(entry, state="begun"):
            report = failure(tenant, "The agent could not store that the job begins, and so did not run it")
        else:
            try:
                report = self._execute(entry)
            except JobRefused as refused:
                report = failure(tenant, f"Not run: {refused}")
            except Exception as error:
                report = failure(tenant, f"The job could not be run: {type(error).__name__}: {error}"[:ERROR_KEPT])
        self._journal.put(entry, state="finished", report=report, job=None)
        words = {"status": report["status"], "metrics": report["metrics"], "error": report["error_message"]}
        self.log("job-finished", job=job_id, **words)
        if not self.stop.is_set():
            self._report()

    def _execute(self, entry: Dict[str, Any]) -> Dict[str, Any]:
        configuration = self.configuration
        # Read anew: the driver may not have been ready when the agent started.
        command, sizes = job_command(entry["job"], configuration, len(gpus()))
        folder = os.path.join(self._state, "work", short_hash(entry["job_id"]))
        os.makedirs(folder, mode=0o700, exist_ok=True)

        def started(pid: int) -> None:
            self._journal.put(entry, pid=pid, mark=process_mark(pid), container=command.container)

        self.log("job-begun", job=entry["job_id"], command=command.words)
        try:
            ran = run_command(command, folder, configuration.job_seconds, self.stop, started)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return completion(configuration.tenant_id, ran, sizes, configuration.job_seconds, self.log)

    def _report(self, final: bool = False) -> None:
        """Sends every stored result. Raises when the server does not take one now."""
        for entry in self._journal.in_state("finished"):
            path = f"jobs/{urllib.parse.quote(entry['job_id'], safe='')}/complete"
            try:
                self._session.call(path, entry["report"], tries=3 if final else 4, final=final)
                outcome = "accepted"
            except Refused as refused:
                # 404, 410: nobody waits for it any more. 409: the server knows it already.
                entry["refusals"] = entry.get("refusals", 0) + 1
                if refused.code not in (404, 409, 410) and entry["refusals"] < 5:
                    raise
                outcome = f"not wanted: {refused}"
            self._journal.put(entry, state="reported")
            self.log("job-reported", job=entry["job_id"], outcome=outcome)

    def _bury(self) -> None:
        """Ends what a killed agent left running, and reports those jobs: they do not run a second time."""
        for entry in self._journal.in_state("begun"):
            pid, mark = entry.get("pid"), entry.get("mark")
            leader_gone = isinstance(pid, int) and not os.path.exists(f"/proc/{pid}")
            same_boot = bool(mark) and mark.startswith((read_text("/proc/sys/kernel/random/boot_id") or "-").strip())
            if isinstance(pid, int) and mark and same_boot and (leader_gone or process_mark(pid) == mark):
                end_processes(pid, entry.get("container"))
            words = "The agent was killed or the machine was restarted while the job ran; it is not run a second time"
            self._journal.put(entry, state="finished", report=failure(self.configuration.tenant_id, words), job=None)
            self.log("job-found-dead", "warning", job=entry["job_id"])
        shutil.rmtree(os.path.join(self._state, "work"), ignore_errors=True)

    def _heartbeats(self) -> None:
        silent = False
        while not self.stop.is_set():
            pause = self.configuration.heartbeat_seconds
            try:
                beat = {"status": "active", "agent_version": VERSION, "capabilities": capabilities()}
                self._session.call("heartbeat", beat)
                if silent or not self._beaten.is_set():
                    self.log("heartbeat-accepted", capabilities=beat["capabilities"])
                silent = False
                self._beaten.set()
            except Stopping:
                return
            except Exception as error:
                if not silent:
                    self.log("heartbeat-failed", "warning", reason=str(error))
                silent = True
                pause = min(pause, self.configuration.retry_seconds * 5)
                if (isinstance(error, TokenRefused) or is_gone(error)) and not self._beaten.is_set():
                    # Until the first heartbeat the main loop asks for nothing, and would not hear of it.
                    self._note_refusal(error)
            self.stop.wait(pause)

    def _trouble(self, error: Exception) -> None:
        if str(error) != self._last_trouble:
            self.log("request-failed", "warning", reason=str(error))
            self._last_trouble = str(error)
        if isinstance(error, TokenRefused) or is_gone(error):
            self._note_refusal(error)

    def _fine(self) -> None:
        if self._beaten.is_set():
            self._last_trouble, self._refused_since = "", None

    def _note_refusal(self, error: Exception) -> None:
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if isinstance(error, TokenSpent) or now - self._refused_since >= self.configuration.refused_seconds:
            self.log("cluster-gone" if is_gone(error) else "token-refused", "error", reason=str(error))
            self._gave_up = EXIT_TOKEN
            self.stop.set()

    def _say_goodbye(self) -> None:
        for entry in self._journal.in_state("accepted"):
            words = "The agent was asked to end before the job began"
            self._journal.put(entry, state="finished", report=failure(self.configuration.tenant_id, words), job=None)
        try:
            self._report(final=True)
        except Exception as error:
            self.log("result-kept", "warning", reason=str(error), message="It is reported at the next start")

    @property
    def exit_code(self) -> int:
        return self._gave_up


def lock(path: str, patience: float) -> Any:
    """One agent a cluster on this machine. The one before may still be ending."""
    file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (held as long as the process lives)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() >= deadline:
                raise BlockingIOError("another agent serves this cluster on this machine") from None
            time.sleep(0.1)


# Commands


def check(configuration: Configuration, faults: Sequence[str], state: str, log: Log) -> int:
    """Prints one JSON object: what stands in the way of this agent."""
    found = list(faults)
    if not found:
        try:
            os.makedirs(state, mode=0o700, exist_ok=True)
            write_private(os.path.join(state, "check"), "")
            remove(os.path.join(state, "check"))
        except OSError as error:
            found.append(f"the state folder cannot be written: {error}")
        if configuration.execution == "process":
            if shutil.which(configuration.python) is None:
                found.append(f"python: {configuration.python} is not there")
            if not os.path.isfile(configuration.program):
                found.append(f"program: {configuration.program} is not there")
        elif shutil.which("docker") is None:
            found.append("execution: there is no docker to run containers with")
        try:
            patient = configuration._replace(request_seconds=min(configuration.request_seconds, 10))
            Api(patient, threading.Event()).send("GET", "/health", None, {})
        except Refused:
            pass  # It answers, and that is what was asked.
        except Unreachable as error:
            found.append(f"the cluster API cannot be reached from this machine: {error}")
    print(log.scrub(json.dumps({"ok": not found, "version": VERSION, "faults": found, **capabilities()})), flush=True)
    return EXIT_CONFIGURATION if found else 0


def on_signal(act: Callable[[], None]) -> None:
    """In a thread of its own: the one that was interrupted may hold the very lock that `act` takes."""

    def heard(*_: Any) -> None:
        threading.Thread(target=act).start()

    signal.signal(signal.SIGTERM, heard)
    signal.signal(signal.SIGINT, heard)


def keep_running(arguments: Sequence[str], log: Log) -> int:
    """Starts the agent again when it dies. Works the same with and without a service manager."""
    ending = threading.Event()
    child: List[Any] = []

    def end() -> None:
        ending.set()
        for process in child:
            process.terminate()

    on_signal(end)
    pause = 1.0
    while True:
        began = time.monotonic()
        child[:] = [subprocess.Popen([sys.executable, os.path.abspath(__file__), *arguments])]
        if ending.is_set():
            child[0].terminate()
        code = child[0].wait()
        if ending.is_set() or code in FINAL_EXITS:
            return max(code, 0)
        pause = 1.0 if time.monotonic() - began > 60 else min(pause * 2, 60)
        log("agent-died", "error", code=code, again_in_seconds=pause)
        ending.wait(pause)
        if ending.is_set():
            return 0


def serve(configuration: Configuration, state: str, given: Optional[str], log: Log) -> int:
    try:
        agent = Agent(configuration, state, given, log)
    except BlockingIOError as error:
        log("agent-locked", "error", reason=str(error))
        return EXIT_LOCKED

    on_signal(agent.stop.set)
    log("agent-started", version=VERSION, execution=configuration.execution)
    agent.run()
    log("agent-ended", code=agent.exit_code)
    return agent.exit_code


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs jobs of the cluster API on this machine.", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="JSON; variables of the environment win over it")
    parser.add_argument("--state", metavar="FOLDER", default="/var/lib/gpu-actions-agent/state")
    parser.add_argument("--program", metavar="FILE", help="the benchmark programs (wins over the configuration)")
    parser.add_argument("--token-stdin", action="store_true", help="read the one-time token from standard input")
    parser.add_argument("--keep-running", action="store_true", help="start the agent again when it dies")
    parser.add_argument("--check", action="store_true", help="say what stands in the way, and end")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser.parse_args(list(words))


def main(words: Sequence[str]) -> int:
    asked = arguments_of(words)
    log = Log()
    if asked.keep_running and not asked.check:
        return keep_running([word for word in words if word != "--keep-running"], log)
    os.umask(0o077)
    configuration, faults = read_configuration(asked.config, asked.program)
    if asked.check:
        return check(configuration, faults, asked.state, log)
    if faults:
        log("configuration-wrong", "error", faults=faults)
        return EXIT_CONFIGURATION
    given = sys.stdin.readline() if asked.token_stdin else None
    return serve(configuration, asked.state, given, log)


def entry() -> NoReturn:
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry()
