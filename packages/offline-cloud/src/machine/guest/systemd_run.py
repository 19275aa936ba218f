"""The stand-in for systemd-run: transient services, and timers that start them."""

import re
import secrets
import shlex

import unit_files
from options import options
from systemd import Unit
from unit_files import Refused

SHORT = {
    "--description": "Description",
    "--service-type": "Type",
    "--working-directory": "WorkingDirectory",
}
TIMES = {"--on-calendar": "OnCalendar", "--on-active": "OnActiveSec", "--on-boot": "OnBootSec"}


def _section(key):
    sections = [name for name, keys in unit_files.SUPPORTED.items() if key in keys]
    if not sections or key == "ExecStart":
        raise Refused(f"property {key} is not supported by the offline cloud's machine")
    return sections[0]


def systemd_run(machine, _name, arguments, request, reply):
    flags = {"--collect", "-G", "--no-block", "--quiet", "-q", "--remain-after-exit", "-r"}
    flags |= {"--wait", "-d", "--same-dir", "--no-ask-password", "--system"}
    valued = {
        "-u",
        "--unit",
        "-p",
        "--property",
        "-E",
        "--setenv",
        "--timer-property",
        *SHORT,
        *TIMES,
    }
    found, words = options(arguments, flags, valued, stop_at_words=True)
    if not words:
        raise Refused("a command to run is needed")
    base = (found.get("-u", []) + found.get("--unit", []) or [f"run-u{secrets.token_hex(4)}"])[-1]
    base = re.sub(r"\.(service|timer)$", "", base)
    service = Unit(f"{base}.service", transient=True)
    service.words = words
    service.collect = "--collect" in found or "-G" in found
    _set_service(service.settings, found, request)
    timed = [(key, text) for option, key in TIMES.items() for text in found.get(option, [])]
    if timed:
        _run_timer(machine, base, service, timed, found, reply)
        return
    machine.manager.add_transient(service)
    text = "" if "-q" in found or "--quiet" in found else f"Running as unit: {service.name}\n"
    if "--wait" in found:
        service.on_end = lambda: reply(_wait_code(service), "", text)

    def started(error):
        if error:
            machine.manager.units.pop(service.name, None)
            reply(1, "", f"Failed to start transient service unit: {error}\n")
        elif "--wait" not in found:
            reply(0, "", text)

    machine.manager.start(service, started, block="--no-block" not in found)


def _wait_code(service):
    """The service's exit code where it has one; 255 for a signal, 1 for anything else."""
    if service.result == "exit-code":
        return service.main_status
    return {"success": 0, "signal": 255}.get(service.result, 1)


def _set_service(settings, found, request):
    for option, key in SHORT.items():
        for text in found.get(option, []):
            settings.add(_section(key), key, text)
    if "-d" in found or "--same-dir" in found:
        settings.add("Service", "WorkingDirectory", request["directory"])
    if "-r" in found or "--remain-after-exit" in found:
        settings.add("Service", "RemainAfterExit", "yes")
    for text in found.get("-E", []) + found.get("--setenv", []):
        name, equals, value = text.partition("=")
        value = value if equals else request["environment"].get(name, "")
        settings.add("Service", "Environment", shlex.quote(f"{name}={value}"))
    for text in found.get("-p", []) + found.get("--property", []):
        key, _, value = text.partition("=")
        settings.add(_section(key), key, value)


def _run_timer(machine, base, service, timed, found, reply):
    timer = Unit(f"{base}.timer", transient=True)
    for key, text in timed:
        timer.settings.add("Timer", key, text)
    for text in found.get("--timer-property", []):
        key, _, value = text.partition("=")
        timer.settings.add(_section(key), key, value)
    machine.manager.add_transient(service)
    machine.manager.add_transient(timer)
    lines = f"Running timer as unit: {timer.name}\nWill run service as unit: {service.name}\n"
    quiet = "-q" in found or "--quiet" in found

    def started(error):
        if error:
            for unit in (service, timer):
                machine.manager.units.pop(unit.name, None)
        reply(1 if error else 0, "", f"{error}\n" if error else "" if quiet else lines)

    machine.manager.start(timer, started, block="--no-block" not in found)
