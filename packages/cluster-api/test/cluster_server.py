"""A cluster API in the test's own process, which misbehaves when it is told to."""

import http.server
import json
import threading
import time
from typing import Any, Callable, Dict, List, Optional

ONE_TIME = "one-time-canary-5f1b"
CLUSTER = "cluster-canary-91ac"


class Server:
    """Holds jobs in the way the real one does: tokens are spent once, the first report of a job counts."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: List[str] = []
        self.headers: List[Dict[str, str]] = []
        self.heartbeats: List[Dict[str, Any]] = []
        self.waiting: List[Dict[str, Any]] = []
        self.handed: Dict[str, Dict[str, Any]] = {}
        self.reports: Dict[str, List[Dict[str, Any]]] = {}
        self.redelivers = False
        self.one_time_spent = False
        self.cluster_tokens = set()
        self.deleted = False
        # By kind of call: what happens to the next ones. "cut", "lost", "slow", or a status code.
        self.trouble: Dict[str, List[Any]] = {}
        self.changed = threading.Condition()
        self._server: Optional[http.server.ThreadingHTTPServer] = None

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_job(self, job_id: str = "job-1", **more: Any) -> str:
        with self.changed:
            params = {"epochs": 2, "batch_size": 16}
            self.waiting.append({"job_id": job_id, "job_kind": "resnet50_benchmark", "params": params, **more})
        return job_id

    def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not in time; calls: {self.calls[-20:]}"
                self.changed.wait(min(left, 0.05))

    def report_of(self, job_id: str) -> Dict[str, Any]:
        self.wait(lambda: job_id in self.reports)
        return self.reports[job_id][0]

    def count(self, kind: str) -> int:
        return sum(call == kind for call in self.calls)

    def answer(self, kind: str, job_id: str, headers: Dict[str, str], body: Any) -> Any:
        """(code, body) of a call that arrived."""
        if self.deleted:
            return 404, {"message": "Cluster not found"}
        if kind == "exchange":
            if headers.get("x-radix-one-time-token") != ONE_TIME or self.one_time_spent:
                return 401, {"message": "The one-time token was used before"}
            self.one_time_spent = True
            self.cluster_tokens.add(CLUSTER)
            return 200, {"cluster_token": CLUSTER}
        if headers.get("x-radix-cluster-token") not in self.cluster_tokens:
            return 401, {"message": "The cluster token is not valid"}
        if kind == "heartbeat":
            self.heartbeats.append(body)
            return 200, {"status": "ok"}
        if kind == "poll":
            if self.waiting:
                job = self.waiting.pop(0)
                self.handed[job["job_id"]] = job
                return 200, {"jobs": [job]}
            unfinished = [job for key, job in self.handed.items() if self.redelivers and key not in self.reports]
            return 200, {"jobs": unfinished[:1]}
        self.reports.setdefault(job_id, []).append(body)
        return 204, None


def handler_of(server: Server) -> Any:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:  # noqa: N802
            self.reply(200, {"status": "ok"})

        def do_POST(self) -> None:  # noqa: N802
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            *_, before, last = self.path.split("/")
            job_id = before if last == "complete" else ""
            headers = {name.lower(): value for name, value in self.headers.items()}
            with server.changed:
                server.calls.append(last)
                server.headers.append(headers)
                trouble = server.trouble.get(last)
                happens = trouble.pop(0) if trouble else None
            if happens == "slow":
                time.sleep(1.2)
            if happens == "cut":
                self.connection.close()
                return
            if isinstance(happens, int):
                self.reply(happens, {"message": "Busy"})
                return
            with server.changed:
                code, reply = server.answer(last, job_id, headers, body)
                server.changed.notify_all()
            if happens == "lost":
                self.connection.close()
                return
            self.reply(code, reply)

        def reply(self, code: int, body: Any) -> None:
            raw = b"" if body is None else json.dumps(body).encode()
            try:
                self.send_response(code)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            except OSError:
                pass

    return Handler
