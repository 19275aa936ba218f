"""The stand-in for systemctl: verbs, their answers and exit codes as systemd has them."""

import os
import time

from options import LOOKS, options
from systemd import SIGNALS, Unit
from unit_files import Refused

POWER_TARGETS = {f"{verb}.target": verb for verb in ("poweroff", "halt", "reboot")}


def _unit_name(word):
    suffixes = (".service", ".timer", ".target", ".socket", ".mount", ".slice", ".path", ".scope")
    return word if word.endswith(suffixes) else f"{word}.service"


def systemctl(machine, _name, arguments, _request, reply):
    flags = LOOKS | {"--now", "--no-block", "--quiet", "-q", "--force", "-f", "--value", "--all"}
    flags |= {"-a", "--runtime"}
    valued = {"-p", "--property", "-s", "--signal", "--kill-whom", "--kill-who"}
    found, words = options(arguments, flags, valued)
    verb = words[0] if words else "list-units"
    handler = VERBS.get(verb)
    if handler is None:
        raise Refused(f"verb {verb!r} is not supported by the offline cloud's machine")
    needs_units = handler not in (_power, _daemon_reload, _list_timers, _system_state, _reset)
    if needs_units and len(words) == 1:
        raise Refused(f"{verb} needs the name of a unit")
    handler(machine, verb, [_unit_name(word) for word in words[1:]], found, reply)


def _power(machine, verb, _units, found, reply):
    reply(0, "", "")
    machine.power(verb, "--force" in found or "-f" in found)


def _daemon_reload(_machine, _verb, _units, _found, reply):
    reply(0, "", "")  # Unit files are read anew whenever one is started.


def _system_state(machine, _verb, _units, _found, reply):
    early = machine.manager.early
    reply(int(early), "initializing\n" if early else "running\n", "")


def _reset(machine, _verb, names, _found, reply):
    units = machine.manager.units
    for name in names or list(units):
        unit = units.get(name)
        if unit is not None and unit.active == "failed":
            unit.active, unit.sub, unit.result = "inactive", "dead", "success"
            if unit.transient:
                units.pop(name)
    reply(0, "", "")


def _each(names, act, reply):
    """Do `act(name, done)` for each in turn, then answer with all errors."""
    errors = []

    def after(error):
        if error:
            errors.append(error)
        step()

    waiting = list(names)

    def step():
        if waiting:
            act(waiting.pop(0), after)
        else:
            reply(1 if errors else 0, "", "".join(f"{error}\n" for error in errors))

    step()


def _start(machine, verb, names, found, reply):
    manager = machine.manager
    targets = [name for name in names if name in POWER_TARGETS]
    if targets:
        reply(0, "", "")
        machine.power(POWER_TARGETS[targets[0]], False)
        return
    block = "--no-block" not in found

    def begin(name, done):
        unit = manager.find(name)
        if unit is None:
            done(f"Failed to {verb} {name}: Unit {name} not found.")
        else:
            manager.start(unit, done, block)

    def act(name, done):
        unit = manager.units.get(name)
        if verb == "restart" and unit is not None:
            manager.stop(unit, lambda _: begin(name, done))
        else:
            begin(name, done)

    _each(names, act, reply)


def _stop(machine, _verb, names, found, reply):
    manager = machine.manager

    def act(name, done):
        unit = manager.find(name)
        if unit is None:
            done(f"Failed to stop {name}: Unit {name} not loaded.")
        elif "--no-block" in found:
            manager.stop(unit, lambda _: None)
            done(None)
        else:
            manager.stop(unit, done)

    def answer(code, output, errors):
        reply(5 if code else 0, output, errors)

    _each(names, act, answer)


def _kill(machine, _verb, names, found, reply):
    text = (found.get("-s", []) + found.get("--signal", []) or ["TERM"])[-1]
    whom = (found.get("--kill-whom", []) + found.get("--kill-who", []) or ["all"])[-1]
    number = int(text) if text.isdigit() else SIGNALS.get(text.upper().replace("SIG", "", 1))
    if number is None or whom != "all":
        raise Refused(f"signal {text} for {whom} is not supported by the offline cloud's machine")
    for name in names:
        unit = machine.manager.find(name)
        if unit is None:
            reply(1, "", f"Failed to kill unit {name}: Unit {name} not loaded.\n")
            return
        machine.manager.kill(unit, number)
    reply(0, "", "")


def _states(machine, verb, names, found, reply):
    lines, wanted = [], "failed" if verb == "is-failed" else "active"
    for name in names:
        unit = machine.manager.find(name)
        lines.append(unit.active if unit is not None else "inactive")
    quiet = "-q" in found or "--quiet" in found
    code = 0 if wanted in lines else (1 if verb == "is-failed" else 3)
    reply(code, "" if quiet else "".join(f"{line}\n" for line in lines), "")


def _file_state(manager, unit):
    if manager.is_masked(unit.name):
        return "masked"
    if unit.transient:
        return "transient"
    if manager.links(unit.name):
        return "enabled"
    return "disabled" if unit.inert or manager.wants(unit) else "static"


def _is_enabled(machine, _verb, names, found, reply):
    states = []
    for name in names:
        unit = machine.manager.find(name)
        if unit is None:
            reply(1, "", f"Failed to get unit file state for {name}: No such file or directory\n")
            return
        states.append(_file_state(machine.manager, unit))
    quiet = "-q" in found or "--quiet" in found
    good = any(state in ("enabled", "static") for state in states)
    reply(0 if good else 1, "" if quiet else "".join(f"{state}\n" for state in states), "")


def _enable(machine, verb, names, found, reply):
    manager, said = machine.manager, []
    for name in names:
        unit = manager.find(name)
        if unit is None:
            reply(1, "", f"Failed to {verb} unit: Unit file {name} does not exist.\n")
            return
        if manager.is_masked(name):
            reply(1, "", f"Failed to {verb} unit: Unit file {unit.path} is masked.\n")
            return
        if verb == "enable":
            for path in manager.wants(unit, "--runtime" in found):
                manager.link(path, unit.path[len(manager.prefix) :])
                said.append(f"Created symlink {path} → {unit.path}.\n")
        else:
            said += _unlink(manager.links(name))
    _and_now(machine, "start" if verb == "enable" else "stop", names, found, reply, said)


def _unlink(paths):
    for path in paths:
        os.unlink(path)
    return [f"Removed {path}.\n" for path in paths]


def _and_now(machine, verb, names, found, reply, said):
    quiet = "-q" in found or "--quiet" in found
    text = "" if quiet else "".join(said)
    if "--now" not in found:
        reply(0, "", text)
        return

    def answer(code, output, errors):
        reply(code, output, text + errors)

    (_start if verb == "start" else _stop)(machine, verb, names, found, answer)


def _mask(machine, verb, names, found, reply):
    manager, said = machine.manager, []
    folder = manager.runtime if "--runtime" in found else manager.own
    for name in names:
        path = f"{folder}/{name}"
        if verb == "mask":
            if os.path.lexists(path) and not os.path.islink(path):
                reply(1, "", f"Failed to mask unit: File '{path}' already exists.\n")
                return
            if manager.find(name) is None:
                said.append(f"Unit {name} does not exist, proceeding anyway.\n")
            manager.link(path, "/dev/null")
            said.append(f"Created symlink {path} → /dev/null.\n")
        elif os.path.islink(path) and os.path.realpath(path) == "/dev/null":
            said += _unlink([path])
    running = [name for name in names if name in manager.units]
    if verb == "mask" and running:
        _and_now(machine, "stop", running, found, reply, said)
    else:
        reply(0, "", "" if "-q" in found or "--quiet" in found else "".join(said))


def _stamp(seconds):
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def properties(manager, name):
    """What `systemctl show` knows of a unit; the same words as systemd's."""
    try:
        unit, load = manager.find(name), "loaded"
    except Refused:
        unit, load = None, "bad-setting"
    if unit is None:
        unit, load = Unit(name), "not-found" if load == "loaded" else load
    elif manager.is_masked(name):
        load = "masked"
    values = {
        "Id": name,
        "Names": name,
        "Description": unit.description(),
        "LoadState": load,
        "ActiveState": unit.active,
        "SubState": unit.sub,
        "FragmentPath": unit.path,
        "UnitFileState": _file_state(manager, unit) if load in ("loaded", "masked") else "",
        "Result": unit.result,
        "ActiveEnterTimestamp": _stamp(unit.since) if unit.since else "",
    }
    if name.endswith(".service"):
        values.update(
            Type=unit.settings.get("Type", "simple"),
            MainPID=str(unit.main_pid),
            ExecMainCode=str(unit.main_code),
            ExecMainStatus=str(unit.main_status),
            RuntimeMaxUSec=unit.settings.get("RuntimeMaxSec", "infinity"),
            KillMode="control-group",
        )
    if name.endswith(".timer"):
        values.update(
            Unit=manager.target(unit),
            NextElapseUSecRealtime=_stamp(unit.next_due) if unit.next_due else "",
            Persistent="yes" if unit.settings.yes("Persistent") else "no",
        )
    return values


def _show(machine, _verb, names, found, reply):
    wanted = [one for text in found.get("-p", []) + found.get("--property", []) for one in text.split(",")]
    blocks = []
    for name in names:
        values = properties(machine.manager, name)
        unknown = [one for one in wanted if one not in values]
        if unknown:
            raise Refused(f"property {unknown[0]} of {name} is not known to this machine")
        # systemd prints in an order of its own, not in that of the question.
        shown = [key for key in values if not wanted or key in wanted]
        bare = "--value" in found
        blocks.append("".join(f"{'' if bare else key + '='}{values[key]}\n" for key in shown))
    reply(0, "\n".join(blocks), "")


def _status(machine, _verb, names, _found, reply):
    text, code = [], 0
    for name in names:
        unit = machine.manager.find(name)
        if unit is None:
            reply(4, "", f"Unit {name} could not be found.\n")
            return
        values = properties(machine.manager, name)
        text.append(f"● {name} - {unit.description()}\n")
        text.append(f"     Loaded: {values['LoadState']} ({unit.path}; {values['UnitFileState']})\n")
        text.append(f"     Active: {unit.active} ({unit.sub})\n")
        if unit.log:
            with open(unit.log, encoding="utf-8", errors="replace") as file:
                text += file.readlines()[-10:]
        code = code or (0 if unit.active in ("active", "activating") else 3)
    reply(code, "".join(text), "")


def _cat(machine, _verb, names, _found, reply):
    text = []
    for name in names:
        path = machine.manager.path(name)
        if path is None:
            reply(1, "", f"No files found for {name}.\n")
            return
        with open(path, encoding="utf-8") as file:
            text.append(f"# {path}\n{file.read()}")
    reply(0, "\n".join(text), "")


def _list_timers(machine, _verb, _units, _found, reply):
    timers = [
        unit
        for unit in machine.manager.units.values()
        if unit.name.endswith(".timer") and unit.active == "active" and not unit.inert
    ]
    lines = ["NEXT                         UNIT ACTIVATES\n"]
    for unit in sorted(timers, key=lambda one: one.next_due or 0):
        due = _stamp(unit.next_due) if unit.next_due else "-"
        lines.append(f"{due:28} {unit.name} {machine.manager.target(unit)}\n")
    reply(0, "".join(lines), "")


VERBS = {
    "daemon-reload": _daemon_reload,
    "enable": _enable,
    "disable": _enable,
    "start": _start,
    "restart": _start,
    "stop": _stop,
    "kill": _kill,
    "reset-failed": _reset,
    "is-active": _states,
    "is-failed": _states,
    "is-enabled": _is_enabled,
    "is-system-running": _system_state,
    "status": _status,
    "show": _show,
    "cat": _cat,
    "mask": _mask,
    "unmask": _mask,
    "list-timers": _list_timers,
    "poweroff": _power,
    "halt": _power,
    "reboot": _power,
}
