"""What the stand-ins for systemctl, systemd-run, shutdown, poweroff, halt and reboot do.

`run(machine, request, reply)` answers a call that shim.py has carried here with `reply(code, out,
err)`, possibly later (systemctl stop waits for the unit's end). A verb or option that is not known
is refused by name; only what changes the looks of the output is accepted without an effect.
"""

import re
import shlex
import time

from options import options
from systemctl import systemctl
from systemd_run import systemd_run
from unit_files import Refused

POWER_NAMES = ("shutdown", "poweroff", "halt", "reboot")
NAMES = ("systemctl", "systemd-run", *POWER_NAMES)


def names(order):
    """The stand-ins of a machine; without systemd only those that end it."""
    return NAMES if order["systemd"] else POWER_NAMES


def run(machine, request, reply):
    name, arguments = request["name"], request["arguments"]
    try:
        {
            "systemctl": systemctl,
            "systemd-run": systemd_run,
            "shutdown": shutdown,
        }.get(name, power_command)(machine, name, arguments, request, reply)
    except (Refused, OSError, ValueError) as refusal:
        machine.say(f"{name} {shlex.join(arguments)}: {refusal}")
        reply(1, "", f"{name}: {refusal}\n")


def power_command(machine, name, arguments, _request, reply):
    flags = {"-f", "--force", "-p", "--poweroff", "--halt", "--reboot", "-w", "--wtmp-only"}
    found, words = options(arguments, flags | {"-d", "--no-wtmp", "--no-wall"}, set())
    if words:
        raise Refused(f"argument {words[0]!r} is not supported by the offline cloud's machine")
    if "-w" in found or "--wtmp-only" in found:
        reply(0, "", "")
        return
    verb = name
    for options_of, wanted in ((("-p", "--poweroff"), "poweroff"), (("--halt",), "halt")):
        verb = wanted if any(option in found for option in options_of) else verb
    verb = "reboot" if "--reboot" in found else verb
    reply(0, "", "")
    machine.power(verb, "-f" in found or "--force" in found)


def shutdown(machine, _name, arguments, _request, reply):
    flags = {"-P", "--poweroff", "-h", "-r", "--reboot", "-H", "--halt", "-c", "--no-wall"}
    found, words = options(arguments, flags, set())
    if "-c" in found:
        machine.cancel_shutdown()
        reply(0, "", "")
        return
    verb = "poweroff"
    if "-r" in found or "--reboot" in found:
        verb = "reboot"
    elif "-H" in found or "--halt" in found:
        verb = "halt"
    due = _shutdown_time(machine.loop.clock.now(), words[0] if words else "+1")
    if due is None:
        reply(0, "", "")
        machine.power(verb, False)
        return
    machine.schedule_shutdown(due, verb)
    when = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(due))
    reply(0, "", f"Shutdown scheduled for {when}, use 'shutdown -c' to cancel.\n")


def _shutdown_time(now, text):
    if text in ("now", "+0"):
        return None
    if re.fullmatch(r"\+?\d+", text):
        return now + 60 * int(text)
    hour = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if hour is None:
        raise Refused(f"Failed to parse time specification: {text}")
    due = now - now % 86400 + 3600 * int(hour[1]) + 60 * int(hour[2])
    return due if due > now else due + 86400
