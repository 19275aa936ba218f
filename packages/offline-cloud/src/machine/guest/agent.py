"""Commands as the SSM agent's AWS-RunShellScript runs them."""

import os

import processes
from events import tell

OUTPUT_LIMIT = 1 << 20
STOPPED_BY_AGENT = 137  # The agent's exit code for a command that it has killed.


class Command:
    """One script of the SSM agent: done when it has ended and nobody holds its output any more."""

    def __init__(self, machine, order, script, directory):
        self.machine, self.id, self.timed_out, self.code = machine, order["id"], False, None
        loop = machine.loop
        self.outputs = [processes.Output(loop, OUTPUT_LIMIT, on_end=self.finish) for _ in range(2)]
        environment = {"HOME": "/root", **machine.environment}
        environment["AWS_SSM_INSTANCE_ID"] = machine.order["instanceId"]
        out, errors = self.outputs
        try:
            self.pid = processes.spawn(["/bin/sh", "-c", script], environment, directory, out.writer, errors.writer)
        except OSError as error:
            tell("result", id=self.id, exitCode=1, stdout="", stderr=f"{error}\n", timedOut=False)
            for output in self.outputs:
                output.close()
            return
        finally:
            for output in self.outputs:
                os.close(output.writer)
        self.group = self.pid
        machine.running[self.id] = self
        self.limit = loop.after(order["timeoutSeconds"], lambda: self.end_early(True))
        loop.ended(self.pid, self.main_ended)

    def main_ended(self, status):
        self.code = processes.exit_code(status) if self.code is None else self.code
        self.pid = None
        self.finish()

    def finish(self):
        if self.pid is None and not any(output.open for output in self.outputs):
            self.report()

    def end_early(self, timed_out):
        """The agent kills the script's process group; what has left the group lives on."""
        self.timed_out = timed_out
        self.code = STOPPED_BY_AGENT
        processes.signal_group(self.group)
        for output in self.outputs:
            output.read_available()
            output.close()
        self.report()

    def report(self):
        if self.machine.running.pop(self.id, None) is None:
            return
        self.limit.cancel()
        out, errors = (output.text() for output in self.outputs)
        tell(
            "result",
            id=self.id,
            exitCode=self.code,
            stdout=out,
            stderr=errors,
            timedOut=self.timed_out,
        )
