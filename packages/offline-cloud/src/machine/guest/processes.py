"""Processes of a machine, and the one loop that watches over their ends, their output and the time.

Every process that the supervisor starts is known by its id; whatever is orphaned inside the machine
comes to the supervisor, which is process 1 there (or a sub-reaper where there are no namespaces).
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time

SUBREAPER = 36
_ALL_SIGNALS = [number for number in range(1, signal.NSIG) if number not in (9, 19, 32, 33)]


class Clock:
    """The cloud's time in seconds: told and moved by the server, running with the computer's."""

    def __init__(self, now):
        self.set(now)

    def set(self, now):
        self.ahead = now - time.time()

    def now(self):
        return time.time() + self.ahead


class Timer:
    def __init__(self, read, due, action):
        self.read, self.due, self.action, self.active = read, due, action, True

    def cancel(self):
        self.active = False


class Loop:
    """Calls back when a file can be read, a child has ended or a time has come; one thread."""

    def __init__(self, clock):
        self.clock, self._timers, self._children = clock, [], {}
        self._selector = selectors.DefaultSelector()
        self._wake, writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.watch(self._wake, self._reap)

    def watch(self, file, action):
        self._selector.register(file, selectors.EVENT_READ, action)

    def unwatch(self, file):
        self._selector.unregister(file)

    def ended(self, pid, action):
        """Call `action(status)` with wait's status once this child has ended."""
        self._children[pid] = action

    def at(self, due, action):
        """At a time of the cloud's clock, which may be moved."""
        return self._add(Timer(self.clock.now, due, action))

    def after(self, seconds, action):
        """After a time really waited."""
        return self._add(Timer(time.monotonic, time.monotonic() + seconds, action))

    def _add(self, timer):
        self._timers.append(timer)
        return timer

    def _reap(self):
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            pass
        self.reap()

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.pop(pid, lambda _: None)(status)

    def run(self):
        while True:
            self._timers = [timer for timer in self._timers if timer.active]
            waits = [timer.due - timer.read() for timer in self._timers]
            # At most a minute: a computer that slept has lost the wait, not the time.
            wait = max(0, min([60, *waits])) if waits else None
            for key, _ in self._selector.select(wait):
                now = self._selector.get_map().get(key.fd)
                if now is not None and now.data == key.data:  # Another action may have closed it.
                    key.data()
            for timer in [one for one in self._timers if one.due <= one.read()]:
                if timer.active:
                    timer.cancel()
                    timer.action()


class Output:
    """Reads a pipe to its end and keeps the first `limit` bytes."""

    def __init__(self, loop, limit, on_bytes=None, on_end=None):
        self.loop, self.limit, self.kept = loop, limit, bytearray()
        self.on_bytes, self.on_end, self.open = on_bytes, on_end, True
        self.pipe, self.writer = os.pipe()
        os.set_blocking(self.pipe, False)
        loop.watch(self.pipe, self.read)

    def read(self):
        try:
            chunk = os.read(self.pipe, 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self.close()
            if self.on_end is not None:
                self.on_end()
            return False
        self.kept += chunk[: max(0, self.limit - len(self.kept))]
        if self.on_bytes is not None:
            self.on_bytes(chunk)
        return True

    def read_available(self):
        """Take what is there now; others may hold the pipe open for long."""
        for _ in range(1024):
            if not self.open or not self.read():
                return

    def close(self):
        if self.open:
            self.open = False
            self.loop.unwatch(self.pipe)
            os.close(self.pipe)

    def text(self):
        return self.kept.decode("utf-8", "replace")


def spawn(command, environment, directory, output, errors):
    """A process in a session and group of its own, without input; file descriptors for output."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )
    process.returncode = 0  # Its status is the loop's: the library must not wait for it as well.
    return process.pid


def signal_group(group):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def exit_code(status):
    """As the SSM agent tells it: −1 for a process that a signal has ended."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1


def adopt_orphans():
    """Orphans of this process's descendants become its children (Linux)."""
    if sys.platform == "linux":
        import kernel

        kernel.prctl(SUBREAPER, 1)


def keep(command, environment, directory, output, errors, on_main):
    """Start a keeper: a process under which everything stays that the command ever starts.

    Children that leave the command's session and lose their parent fall to the keeper, so the tree
    below it is what a control group would hold (not on macOS, where orphans get away). It ends when
    the last of them has ended. It writes two lines to the file descriptor `on_main`: the id of the
    command's own process, and its status once that has ended.
    """
    keeper = os.fork()
    if keeper != 0:
        return keeper
    try:
        signal.set_wakeup_fd(-1)
        for number in _ALL_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        adopt_orphans()
        report = os.dup(on_main)
        main = os.fork()
        if main == 0:
            _become(command, environment, directory, output, errors)
        # Only the report stays open: a socket or a pipe held here would never see its end.
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.closerange(3, report)
        os.closerange(report + 1, 4096)
        os.write(report, b"%d\n" % main)
        while True:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            if pid == main:
                os.write(report, b"%d\n" % status)
                os.close(report)
    finally:
        os._exit(0)


def _become(command, environment, directory, output, errors):
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.chdir(directory)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(200 if not os.path.isdir(directory) else 203)  # systemd's CHDIR and EXEC


def _parents():
    """(pid, parent) of every living process that can be seen."""
    if not sys.platform.startswith("linux"):
        look = subprocess.Popen(["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE)
        rows = [tuple(map(int, line.split())) for line in look.communicate()[0].splitlines()]
        return [row for row in rows if row[0] != look.pid]
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in (b"Z", b"X"):
                found.append((int(name), int(fields[1])))
    return found


def descendants(root):
    """Everything below a process, zombies left out."""
    children = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_tree(loop, root, grace, is_gone, done):
    """SIGTERM to all below `root`, after `grace` seconds SIGKILL, until `is_gone()`: `done()`."""
    asked = set()
    killing = time.monotonic() + grace

    def look():
        if is_gone():
            done()
            return
        left = descendants(root)
        if time.monotonic() >= killing:
            signal_all(left, signal.SIGKILL)
        else:
            signal_all([pid for pid in left if pid not in asked], signal.SIGTERM)
            asked.update(left)
        loop.after(0.02, look)

    look()
