"""Process 1 of a machine of the offline cloud: boots it, runs its commands, keeps its time.

Speaks JSON lines: orders on standard input, events on standard output (machine.ts has both lists).
When the input ends, the server is gone, and so is the machine: everything in it dies with this
process. Runs on Python 3.8 or later, standard library only.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import time

import agent
import commands
import processes
import rootfs
import systemd
import tree
import user_data
from events import tell
from redirect import redirected

REQUEST_LIMIT = 1 << 20
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POWER_GRACE = 3.0


class Machine:
    def __init__(self, order):
        self.order = order
        self.apart = order["way"] != "none"
        self.prefix = "" if self.apart else os.path.realpath(order["directory"])
        self.loop = processes.Loop(processes.Clock(order["now"] / 1000))
        path = f"{self.prefix}/opt/offline/bin:{PATHS if self.apart else os.environ['PATH']}"
        self.environment = {"PATH": path, "LANG": "C.UTF-8", **order["env"]}
        if not self.apart:
            self.environment.update(HOME=f"{self.prefix}/root", TMPDIR=f"{self.prefix}/tmp")
        self.manager = systemd.Manager(self.loop, self.environment, self.prefix, self.say, self.power)
        self.running, self.shutdown_timer, self.down, self.input = {}, None, False, b""
        self.first = not os.path.exists(self.place("/var/lib/cloud/instance/booted"))

    def place(self, path):
        return f"{self.prefix}{path}"

    def say(self, text):
        """A line on the console, in the log of the boot and nowhere else."""
        self.print_console(f"[{self.loop.clock.now() - self.manager.booted_at:9.3f}] {text}\n")

    def print_console(self, text):
        tell("console", text=text)
        with open(self.place("/var/log/cloud-init-output.log"), "a", encoding="utf-8") as file:
            file.write(text)

    # Orders

    def read_orders(self):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            self.die()
        *lines, self.input = (self.input + chunk).split(b"\n")
        for line in lines:
            order = json.loads(line)
            {"execute": self.execute, "cancel": self.cancel, "clock": self.set_clock}[order["do"]](order)

    def set_clock(self, order):
        self.loop.clock.set(order["now"] / 1000)
        self.tell_ahead()

    def tell_ahead(self):
        """For the stand-in for date. Renamed into place: it never reads half a number."""
        path = self.place("/run/offline/ahead")
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(f"{round(self.loop.clock.ahead)}\n")
        os.replace(f"{path}.new", path)

    def die(self):
        """Process 1 takes everything with it; where it is not process 1, it has to be thorough."""
        while os.getpid() != 1:
            left = processes.descendants(os.getpid())
            if not left:
                break
            processes.signal_all(left, 9)
            self.loop.reap()
            time.sleep(0.005)
        os._exit(0)

    # Boot

    def boot(self):
        if self.first and self.order["systemd"]:
            self.manager.first_boot()
        found = user_data.parts(base64.b64decode(self.order["userData"]))
        hooks, scripts = [], []
        for number, (kind, body) in enumerate(found, 1):
            name = f"part-{number:03d}"
            if kind not in (user_data.BOOTHOOK, user_data.SCRIPT):
                self.say(f"user data, {name}: {kind} is not supported by the offline cloud")
            elif not self.apart and user_data.OUR_MARK not in body:
                self.say(
                    f"user data, {name} ({kind}) was refused: this computer has no namespaces, so "
                    f"only parts with the line '{user_data.OUR_MARK.decode()}' are run"
                )
            elif kind == user_data.BOOTHOOK:
                hooks.append((f"boothooks/{name}", user_data.boothook_body(body)))
            else:
                scripts.append((f"scripts/{name}", body))
        self.run_parts(hooks, lambda: self.hooks_done(scripts))

    def hooks_done(self, scripts):
        if self.order["systemd"]:
            self.manager.sysinit_reached()
        if not self.down:
            tell("booted")
        done = self.place("/var/lib/cloud/instance/sem/config_scripts_user")
        if os.path.exists(done):
            scripts = []
        os.makedirs(os.path.dirname(done), exist_ok=True)
        for path in (done, self.place("/var/lib/cloud/instance/booted")):
            with open(path, "w", encoding="ascii"):
                pass
        self.run_parts(scripts, lambda: self.say("the boot is finished"))

    def run_parts(self, parts, done):
        if not parts or self.down:
            done()
            return
        (name, body), rest = parts[0], parts[1:]
        path = self.place(f"/var/lib/cloud/instance/{name}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not self.apart:
            body = redirected(body, self.prefix)
        with open(path, "wb") as file:
            file.write(body)
        os.chmod(path, 0o700)

        def printed(chunk):
            self.print_console(chunk.decode("utf-8", "replace"))

        output = processes.Output(self.loop, 0, on_bytes=printed)
        environment = {**self.environment, "INSTANCE_ID": self.order["instanceId"]}
        try:
            pid = processes.spawn([path], environment, self.place("/"), output.writer, output.writer)
        except OSError as error:
            self.say(f"{path}: {error.strerror}. Missing #! in script?")
            output.close()
            self.run_parts(rest, done)
            return
        finally:
            os.close(output.writer)

        def ended(status):
            output.read_available()
            if processes.exit_code(status) != 0:
                self.say(f"{path} failed with exit code {processes.exit_code(status)}")
            self.run_parts(rest, done)

        self.loop.ended(pid, ended)

    # Commands, as the SSM agent's AWS-RunShellScript runs them

    def execute(self, order):
        if self.down:
            return  # Nobody takes commands on a machine that is going down.
        home = self.place(f"/var/lib/amazon/ssm/{self.order['instanceId']}/document/orchestration")
        folder = f"{home}/{order['id']}/awsrunShellScript/0.awsrunShellScript"
        os.makedirs(folder, exist_ok=True)
        script = f"{folder}/_script.sh"
        body = order["script"].encode()
        with open(script, "wb") as file:
            file.write(body if self.apart else redirected(body, self.prefix))
        os.chmod(script, 0o700)
        agent.Command(self, order, script, order.get("workingDirectory") or folder)

    def cancel(self, order):
        if order["id"] in self.running:
            self.running[order["id"]].end_early(False)

    # Power

    def schedule_shutdown(self, due, verb):
        self.cancel_shutdown()
        self.shutdown_timer = self.loop.at(due, lambda: self.power(verb, False))

    def cancel_shutdown(self):
        if self.shutdown_timer is not None:
            self.shutdown_timer.cancel()
            self.shutdown_timer = None

    def power(self, verb, forced):
        """End everything as systemd would, then tell the server; a halted machine stays rented."""
        if self.down:
            return
        self.down = True
        self.say(f"the machine goes down: {verb}{' (forced)' if forced else ''}")
        own = os.getpid()

        def gone():
            return not processes.descendants(own)

        # Later, so that who asked for it is answered first.
        grace = 0 if forced else POWER_GRACE
        self.loop.after(
            0.02,
            lambda: processes.end_tree(self.loop, own, grace, gone, lambda: tell(verb)),
        )

    # Calls of the stand-ins

    def listen(self):
        folder = self.place("/run/offline")
        os.makedirs(folder, exist_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.chdir(folder)  # A socket's path is limited to about 100 characters.
        if os.path.lexists("control"):
            os.unlink("control")
        server.bind("control")
        server.listen(64)
        server.setblocking(False)
        os.chdir(self.place("/"))
        self.loop.watch(server, lambda: self.accept(server))

    def accept(self, server):
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.setblocking(False)
        received = bytearray()

        def close():
            self.loop.unwatch(connection)
            connection.close()

        def reply(code, output, errors):
            text = json.dumps({"code": code, "stdout": output, "stderr": errors})
            connection.setblocking(True)
            connection.settimeout(5)
            with contextlib.suppress(OSError):  # Who asked may be gone.
                connection.sendall(text.encode() + b"\n")
            connection.close()

        def read():
            try:
                chunk = connection.recv(65536)
            except OSError:
                chunk = b""
            received.extend(chunk)
            if not chunk or len(received) > REQUEST_LIMIT:
                close()
            elif received.endswith(b"\n"):
                self.loop.unwatch(connection)
                try:
                    commands.run(self, json.loads(received), reply)
                except (KeyError, TypeError, AttributeError, ValueError) as error:
                    reply(1, "", f"not a call of the stand-ins: {error!r}\n")

        self.loop.watch(connection, read)


def prepare_here(order):
    """Where the computer gives no namespaces: the same folders, below the machine's directory."""
    root = os.path.realpath(order["directory"])
    for name in ("run", "tmp"):
        shutil.rmtree(f"{root}/{name}", ignore_errors=True)
    own = tree.Tree(root, None)
    tree.make_folders(own)
    for name in ("tmp", "run/offline", *tree.run_folders(order)):
        own.folder(name)
    tree.write_shims(own, commands.names(order), root)
    tree.write_aws(own, order["role"], root)
    tree.write_date(own, "/bin/date", root)
    tree.write_python(own, order["python"])
    processes.adopt_orphans()


def first_order():
    """The first line, byte by byte: what follows it belongs to the loop."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 1)
        if not chunk:
            os._exit(0)
        line += chunk
    return json.loads(line)


def main():
    order = first_order()
    os.umask(0o022)
    # Seen from outside, before the own /proc: the id under which the server can end this process.
    host_pid = int(os.readlink("/proc/self")) if order["way"] != "none" else os.getpid()
    tell("started", hostPid=host_pid)
    if order["way"] == "none":
        prepare_here(order)
    else:
        rootfs.enter(order, commands.names(order))
    machine = Machine(order)
    os.set_blocking(0, False)
    machine.loop.watch(0, machine.read_orders)
    machine.listen()
    machine.tell_ahead()
    machine.boot()
    machine.loop.run()


if __name__ == "__main__":
    main()
