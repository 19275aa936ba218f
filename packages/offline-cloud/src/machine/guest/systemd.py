"""The machine's service manager: services, timers, what is enabled, what is running.

Plays as much of systemd as a guest's time limit and a detached job need. Timers and run-time limits
follow the cloud's clock; the grace of a stop is real time.
"""

import glob
import math
import os
import signal

import processes
import unit_files
from unit_files import Refused

# Units that the Deep Learning AMIs have and that user data turns off: known, with nothing behind.
INERT = (
    "unattended-upgrades.service",
    "apt-daily.service",
    "apt-daily.timer",
    "apt-daily-upgrade.service",
    "apt-daily-upgrade.timer",
)
INERT_AT_BOOT = (INERT[0], INERT[2], INERT[4])
STOP_GRACE = 90
KINDS = ("wants", "requires")


class Unit:
    def __init__(self, name, settings=None, path="", transient=False, inert=False):
        self.name, self.path, self.transient, self.inert = name, path, transient, inert
        self.settings = settings or unit_files.Settings(name)
        self.active, self.sub, self.result = "inactive", "dead", "success"
        self.keeper = self.main_pid = self.main_code = self.main_status = 0
        self.collect, self.waiting, self.timers = False, [], []
        self.words, self.next_due, self.log = None, None, ""
        self.since = 0.0
        self.on_end = lambda: None

    def description(self):
        return self.settings.get("Description", self.name)


class Manager:
    def __init__(self, loop, environment, prefix, say, power):
        self.loop, self.environment, self.prefix = loop, environment, prefix
        self.say, self.power = say, power
        self.units, self.queued, self.early = {}, [], True
        self.booted_at = loop.clock.now()
        self.own, self.runtime = f"{prefix}/etc/systemd/system", f"{prefix}/run/systemd/system"

    # Finding units

    def path(self, name):
        for folder in (self.own, self.runtime):
            if os.path.lexists(f"{folder}/{name}"):
                return f"{folder}/{name}"
        return None

    def is_masked(self, name):
        path = self.path(name)
        return path is not None and os.path.realpath(path) == "/dev/null"

    def find(self, name):
        """The unit as loaded, or read now; None where there is none. Wrong settings are refused."""
        unit = self.units.get(name)
        if unit is not None and (unit.transient or unit.active not in ("inactive", "failed")):
            return unit
        path = self.path(name)
        if path is None and name not in INERT:
            return unit
        if self.is_masked(name):
            return unit or Unit(name, path=path)
        fresh = Unit(name, inert=path is None, path=path or f"/usr/lib/systemd/system/{name}")
        if path is not None:
            fresh.settings = unit_files.read(name, path)
        if unit is None:
            self.units[name] = unit = fresh
        unit.settings, unit.path = fresh.settings, fresh.path
        return unit

    def add_transient(self, unit):
        if unit.name in self.units or self.path(unit.name) is not None:
            raise Refused(f"Unit {unit.name} was already loaded or has a fragment file.")
        self.units[unit.name] = unit

    # Starting and stopping

    def start(self, unit, done, block=True):
        """Start a unit; `done(error text or None)` when systemctl would come back."""
        if self.is_masked(unit.name):
            done(f"Failed to start {unit.name}: Unit {unit.name} is masked.")
            return
        if unit.active in ("active", "activating") and unit.name.endswith(".service"):
            done(None)
            return
        if self.early and not unit.inert and unit.settings.yes("DefaultDependencies", "yes"):
            if block:
                done(
                    f"{unit.name}: starting it from a boothook waits for sysinit.target, and that "
                    "waits for the boothook: on a real machine the boot hangs here. "
                    "Use --no-block or DefaultDependencies=no."
                )
                return
            self.queued.append(unit)
            done(None)
            return
        try:
            self._run(unit, done if block else (lambda error: None))
        except (Refused, OSError) as error:
            unit.active, unit.sub, unit.result = "failed", "failed", "resources"
            self.say(f"{unit.name}: {error}")
            done(f"Failed to start {unit.name}: {error}")
            return
        if not block:
            done(None)

    def sysinit_reached(self):
        """The earliest stage is over: what was queued starts, and what is enabled."""
        self.early = False
        links = sorted(glob.glob(f"{self.own}/*.wants/*") + glob.glob(f"{self.own}/*.requires/*"))
        enabled = dict.fromkeys(os.path.basename(path) for path in links)
        waiting, self.queued = self.queued, []
        for name in enabled:
            try:
                unit = self.find(name)
            except (Refused, OSError) as error:
                self.say(f"{name} is enabled and was not started: {error}")
                continue
            if unit is not None and unit not in waiting and not self.is_masked(name):
                waiting.append(unit)
        for unit in waiting:
            self.start(unit, lambda error: error and self.say(error), block=False)

    def _run(self, unit, done):
        unit.since = self.loop.clock.now()
        if unit.inert:
            waits = unit.name.endswith(".timer")
            unit.active, unit.sub = "active", "waiting" if waits else "running"
            done(None)
        elif unit.name.endswith(".timer"):
            self._arm(unit)
            done(None)
        elif unit.name.endswith(".service"):
            self._launch(unit, done)
        else:
            raise Refused("only services and timers are supported by this machine")

    def _launch(self, unit, done):
        settings = unit.settings
        lines = settings.all("ExecStart")
        oneshot = settings.get("Type", "simple") == "oneshot"
        if unit.words is None and (not lines or (len(lines) > 1 and not oneshot)):
            raise Refused("it needs one ExecStart= (several only with Type=oneshot)")
        if unit.words is not None:
            commands = [(unit.words, False)]
        else:
            commands = [unit_files.command_line(line) for line in lines]
        unit.result, unit.main_code, unit.main_status = "success", 0, 0
        unit.active, unit.sub = ("activating", "start") if oneshot else ("active", "running")
        limit = settings.seconds("TimeoutStartSec" if oneshot else "RuntimeMaxSec", "infinity")
        if limit != math.inf:
            due = self.loop.clock.now() + limit
            unit.timers.append(self.loop.at(due, lambda: self._expire(unit)))
        if oneshot:
            unit.waiting.append(done)
        self._next_command(unit, commands)
        if not oneshot:
            done(None)

    def _next_command(self, unit, commands):
        (words, ignored), rest = commands[0], commands[1:]
        environment = {**self.environment, **unit_files.environment(unit.settings)}
        words = unit_files.expand(words, environment)
        words[0] = self._program(words[0])
        output, errors = self._outputs(unit)
        report, writer = os.pipe()
        place = unit.settings.get("WorkingDirectory", "/")
        unit.keeper = processes.keep(words, environment, place, output, errors, writer)
        for number in {output, errors, writer}:
            os.close(number)

        def reported():
            lines = os.read(report, 64).split()
            if lines and not unit.main_pid:
                unit.main_pid = int(lines.pop(0))
                if not lines:
                    return
            self.loop.unwatch(report)
            os.close(report)
            unit.main_pid = 0
            self._record(unit, int(lines[0] if lines else signal.SIGKILL), ignored)
            self._stop_tree(unit)  # What the main process has left behind ends with it.

        def keeper_ended(_):
            unit.keeper = 0
            if rest and unit.result == "success":
                unit.active, unit.sub = "activating", "start"
                self._next_command(unit, rest)
            else:
                self._ended(unit)

        self.loop.watch(report, reported)
        self.loop.ended(unit.keeper, keeper_ended)

    def _program(self, path):
        """Where nothing is mounted, a unit's /usr/bin/systemctl must still be the stand-in."""
        shim = f"{self.prefix}/opt/offline/bin/{os.path.basename(path)}"
        return shim if self.prefix and os.path.exists(shim) else path

    def _outputs(self, unit):
        folder = f"{self.prefix}/var/log/journal"
        os.makedirs(folder, exist_ok=True)
        unit.log = f"{folder}/{unit.name}.log"

        def opened(value):
            kind, _, path = value.partition(":")
            flags = os.O_WRONLY | os.O_CREAT
            if kind == "null":
                return os.open(os.devnull, flags)
            if kind in ("journal", "inherit"):
                return os.open(unit.log, flags | os.O_APPEND, 0o640)
            more = {"append": os.O_APPEND, "truncate": os.O_TRUNC, "file": 0}[kind]
            return os.open(path, flags | more, 0o644)

        out = unit.settings.get("StandardOutput", "journal")
        errors = unit.settings.get("StandardError", "inherit")
        output = opened(out)
        return output, (output if errors in ("inherit", out) else opened(errors))

    def _record(self, unit, status, ignored):
        if os.WIFSIGNALED(status):
            unit.main_code, unit.main_status = 2, os.WTERMSIG(status)
            clean = unit.main_status in (1, 2, 13, 15)
            failure = None if clean else "signal"
        else:
            unit.main_code, unit.main_status = 1, os.WEXITSTATUS(status)
            failure = "exit-code" if unit.main_status != 0 and not ignored else None
        if failure is not None and unit.result == "success":
            unit.result = failure

    def _expire(self, unit):
        unit.result = "timeout"
        self._stop_tree(unit)

    def stop(self, unit, done):
        """Stop a unit with everything in it; `done(None)` when nothing of it is left."""
        if unit in self.queued:
            self.queued.remove(unit)
        if unit.keeper:
            unit.waiting.append(done)
            self._stop_tree(unit)
            return
        for timer in unit.timers:
            timer.cancel()
        unit.active, unit.sub, unit.next_due = "inactive", "dead", None
        self._forget(unit)
        done(None)

    def _stop_tree(self, unit):
        if unit.sub == "stop-sigterm" or not unit.keeper:
            return
        unit.active, unit.sub = "deactivating", "stop-sigterm"
        keeper = unit.keeper
        grace = min(unit.settings.seconds("TimeoutStopSec", STOP_GRACE), 1e6)
        processes.end_tree(self.loop, keeper, grace, lambda: unit.keeper != keeper, lambda: None)

    def _ended(self, unit):
        for timer in unit.timers:
            timer.cancel()
        unit.timers = []
        good = unit.result == "success"
        if good and unit.settings.yes("RemainAfterExit"):
            unit.active, unit.sub = "active", "exited"
        else:
            unit.active, unit.sub = ("inactive", "dead") if good else ("failed", "failed")
        waiting, unit.waiting = unit.waiting, []
        text = f"Job for {unit.name} failed. See 'systemctl status {unit.name}' for details."
        for done in waiting:
            done(None if good else text)
        unit.on_end()
        self._forget(unit)
        action = unit.settings.get("SuccessAction" if good else "FailureAction", "none")
        if action != "none":
            self.power(action.partition("-")[0], action.endswith("-force"))

    def _forget(self, unit):
        """Unload a transient unit that has ended; a failed one stays unless it is collected."""
        is_over = unit.active == "inactive" or (unit.active == "failed" and unit.collect)
        if unit.transient and is_over:
            self.units.pop(unit.name, None)

    def kill(self, unit, number):
        if unit.keeper:
            processes.signal_all(processes.descendants(unit.keeper), number)

    # Timers

    def _stamp(self, unit):
        return f"{self.prefix}/var/lib/systemd/timers/stamp-{unit.name}"

    def _touch(self, unit):
        if unit.settings.yes("Persistent"):
            os.makedirs(os.path.dirname(self._stamp(unit)), exist_ok=True)
            now = self.loop.clock.now()
            with open(self._stamp(unit), "w", encoding="ascii"):
                os.utime(self._stamp(unit), (now, now))

    def _arm(self, unit):
        for timer in unit.timers:
            timer.cancel()
        settings, now = unit.settings, self.loop.clock.now()
        if not any(settings.all(key) for key in ("OnCalendar", "OnBootSec", "OnActiveSec")):
            raise Refused("the timer has no time: OnCalendar=, OnBootSec= or OnActiveSec=")
        if self.find(self.target(unit)) is None:
            raise Refused(f"Unit {self.target(unit)} to trigger not loaded.")
        # A persistent timer makes up for a time that passed since it was last looked at: before
        # its first start nothing counts as missed, so a time already past never comes.
        since = now
        if settings.yes("Persistent") and os.path.exists(self._stamp(unit)):
            since = os.stat(self._stamp(unit)).st_mtime
        elif settings.yes("Persistent"):
            self._touch(unit)
        dues = [moment for moment in map(unit_files.moment, settings.all("OnCalendar"))]
        dues = [max(now, moment) for moment in dues if moment > since]
        dues += [self.booted_at + unit_files.span(text) for text in settings.all("OnBootSec")]
        dues += [now + unit_files.span(text) for text in settings.all("OnActiveSec")]
        dues = [due for due in dues if due != math.inf]
        unit.active, unit.sub = "active", "waiting" if dues else "elapsed"
        unit.next_due = min(dues, default=None)
        unit.timers = [self.loop.at(due, lambda: self._fire(unit)) for due in dues]

    def target(self, unit):
        return unit.settings.get("Unit", unit.name[: -len(".timer")] + ".service")

    def _fire(self, unit):
        self._touch(unit)
        left = [timer.due for timer in unit.timers if timer.active]
        unit.next_due = min(left, default=None)
        unit.sub = "waiting" if left else "elapsed"
        self.say(f"{unit.name} elapsed: starting {self.target(unit)}")
        try:
            service = self.find(self.target(unit))
        except (Refused, OSError) as error:
            self.say(f"{self.target(unit)}: {error}")
            return
        if service is not None:
            self.start(service, lambda error: error and self.say(error), block=False)

    # Enabling

    def wants(self, unit, runtime=False):
        folder = self.runtime if runtime else self.own
        kinds = (("WantedBy", "wants"), ("RequiredBy", "requires"))
        lines = [(line, kind) for key, kind in kinds for line in unit.settings.all(key)]
        pairs = [(name, kind) for line, kind in lines for name in line.split()]
        return [f"{folder}/{name}.{kind}/{unit.name}" for name, kind in pairs]

    def links(self, name):
        folders = [f"{place}/*.{kind}" for place in (self.own, self.runtime) for kind in KINDS]
        return [path for folder in folders for path in glob.glob(f"{folder}/{name}")]

    def first_boot(self):
        """What the image has enabled."""
        for name in INERT_AT_BOOT:
            kind = "timers" if name.endswith(".timer") else "multi-user"
            self.link(f"{self.own}/{kind}.target.wants/{name}", f"/usr/lib/systemd/system/{name}")

    @staticmethod
    def link(path, target):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)


SIGNALS = {one.name[3:]: one.value for one in signal.Signals}
