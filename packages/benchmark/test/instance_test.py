"""The metadata service and what is read from it, against a server of the test's own that wants tokens as EC2's does."""

import contextlib
import http.server
import json
import os
import threading
import time

import pytest
from gpu_actions_host import environment, imds, instance, spot_notice

DOCUMENT = {
    "instanceId": "i-0123456789abcdef0", "instanceType": "g5.2xlarge", "imageId": "ami-1", "region": "us-west-2",
    "availabilityZone": "us-west-2a", "architecture": "x86_64", "accountId": "123456789012",
}  # fmt: skip


class Service:
    """`paths`: what there is below /base/latest/. Every token is good for `uses` answers."""

    def __init__(self, paths, uses=10**9):
        self.paths, self.uses, self.tokens, self.asked = dict(paths), uses, {}, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, text=""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self):  # noqa: N802
                token = f"token-{len(service.tokens)}"
                service.tokens[token] = service.uses
                self.answer(200, token)

            def do_GET(self):  # noqa: N802
                service.asked.append(self.path)
                token = self.headers.get("X-aws-ec2-metadata-token")
                if service.tokens.get(token, 0) <= 0:
                    return self.answer(401)
                service.tokens[token] -= 1
                text = service.paths.get(self.path.replace("/base/latest/", "", 1))
                return self.answer(404 if text is None else 200, text or "")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/base"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextlib.contextmanager
def metadata(monkeypatch, paths, **more):
    service = Service(paths, **more)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    instance.identity.cache_clear()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        instance.identity.cache_clear()


SPOT = {
    "dynamic/instance-identity/document": json.dumps(DOCUMENT),
    "meta-data/instance-life-cycle": "spot",
    "meta-data/placement/availability-zone-id": "usw2-az1",
}


def test_an_instance_says_what_it_is_and_its_id_is_hashed(monkeypatch):
    with metadata(monkeypatch, SPOT):
        found = environment.collect()["instance"]
    assert (found["type"], found["market"], found["zone_id"], found["image_id"]) == (
        "g5.2xlarge", "spot", "usw2-az1", "ami-1",
    )  # fmt: skip
    assert found["id_sha256"] == instance.hashed("i-0123456789abcdef0")
    assert "i-0123456789abcdef0" not in json.dumps(found)
    assert "123456789012" not in json.dumps(found)
    assert abs(found["clock_skew_seconds"]) < 30


def test_a_token_that_has_run_out_is_renewed(monkeypatch):
    with metadata(monkeypatch, SPOT, uses=1) as service:
        client = imds.Imds(service.url)
        assert [client.get("meta-data/instance-life-cycle") for _ in range(3)] == ["spot"] * 3
        assert client.get("meta-data/none") is None


def test_off_ec2_nobody_is_asked(monkeypatch):
    assert imds.endpoint({"AWS_EC2_METADATA_DISABLED": "true", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://x"}) is None
    monkeypatch.setattr(imds, "text_of", lambda path: "")
    assert imds.endpoint({}) is None
    monkeypatch.setattr(imds, "text_of", lambda path: "Amazon EC2".lower() if path.endswith("sys_vendor") else "")
    assert imds.endpoint({}) == imds.ENDPOINT


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://127.0.0.1/", "nonsense", "http://"])
def test_a_service_that_is_not_there_is_given_up_soon(url):
    started = time.monotonic()
    assert imds.Imds(url, seconds=0.5).get("meta-data/instance-id") is None
    assert time.monotonic() - started < 10


def test_a_spot_machine_that_is_taken_back_is_told_of_once(monkeypatch):
    told, ended = [], threading.Event()
    with metadata(monkeypatch, SPOT) as service:
        thread = threading.Thread(
            target=spot_notice.watch, args=(lambda event, **more: told.append((event, more)), ended, 0.02)
        )
        thread.start()
        path = "/base/latest/meta-data/spot/instance-action"
        wait_for(lambda: service.asked.count(path) >= 3)
        assert told == []
        service.paths["meta-data/spot/instance-action"] = json.dumps(
            {"action": "terminate", "time": "2026-11-03T00:02:00Z"}
        )
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert told == [("spot-notice", {"action": "terminate", "time": "2026-11-03T00:02:00Z"})]


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def test_an_on_demand_machine_is_not_asked_for_notices(monkeypatch):
    with metadata(monkeypatch, {**SPOT, "meta-data/instance-life-cycle": "on-demand"}) as service:
        spot_notice.watch(lambda *_, **__: None, threading.Event(), 0.02)
        assert [path for path in service.asked if "spot" in path] == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"action": 1}', "<html>", None])
def test_what_is_no_notice_is_none(text):
    assert spot_notice.notice_in(text) is None


NAMED = {
    "closed": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023",
    "open": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  (dvs-builder@U16)",
}


def test_the_version_of_both_kinds_of_nvidias_kernel_module():
    found = {kind: environment.first(environment.KERNEL_MODULE, text) for kind, text in NAMED.items()}
    assert found == {"closed": "535.54.03", "open": "560.35.03"}


def test_the_environment_holds_what_the_protocol_lists(run):
    found = run("environment", "--commit", "abcdef0").only("environment")
    listed = {
        "os", "kernel", "machine", "cpu", "memory_bytes", "numa", "uptime_seconds", "clock", "container", "instance",
        "commit", "python", "torch", "gpu", "driver", "gpus", "flags",
    }  # fmt: skip
    assert listed <= set(found)
    assert found["commit"] == "abcdef0"
    assert "PyTorch built with" in found["torch"]["build"]
    if os.path.exists("/proc/uptime"):
        assert found["uptime_seconds"] > 0
    if found["gpu"] is None:
        assert (found["torch"]["cudnn"], found["torch"]["miopen"]) == (None, None)
