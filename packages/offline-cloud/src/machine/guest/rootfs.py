"""A machine's own view of the computer: its root, its devices, its identity.

Runs first in the supervisor, as process 1 of the new namespaces, before anything of the guest. The
root is the machine's directory. The computer's programs and libraries are seen read-only; homes,
the repository, other machines, host processes and host mounts are not seen at all.

Two ways, chosen on the Node side (isolation.ts):
  mapped  we are root: the mounts are made by real root, then a user namespace is entered whose
          root is an id without any rights here. The guest does not own its mounts.
  user    we are not: `unshare --user --map-root-user` came first, so the guest's root is the
          calling user. The right to change mounts is dropped before the guest starts.
"""

import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid

import kernel
from tree import Tree, make_folders, make_identity, run_folders, write_aws, write_date, write_python, write_shims

# The guest's ids 0–65535 are these on the computer: far above accounts and container ranges.
FIRST_ID, IDS = 0x6E000000, 65536
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
CONFIGURATION = ("alternatives", "ssl", "pki", "ca-certificates")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
GPU_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
# What the kernel offers in /proc to change or to read about the whole computer.
READ_ONLY_PROC = ("sys", "irq", "bus", "fs", "sysrq-trigger")
HIDDEN_PROC = ("kcore", "keys", "timer_list", "sched_debug", "scsi", "acpi")
OPTIONS = {
    "ro": kernel.MS_RDONLY,
    "nosuid": kernel.MS_NOSUID,
    "nodev": kernel.MS_NODEV,
    "noexec": kernel.MS_NOEXEC,
}


def _mounts_below(path):
    """Mount points at or below a path with the flags that a remount has to repeat."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split(" ") for line in file]
    for row in rows:
        point = row[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
        if point == path or point.startswith(path + "/"):
            yield point, sum(OPTIONS.get(option, 0) for option in row[5].split(","))


def _restrict(target, more):
    for point, flags in _mounts_below(os.path.realpath(target)):
        kernel.mount(None, point, None, kernel.MS_BIND | kernel.MS_REMOUNT | flags | more)


def bind(source, target, read_only=True):
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    if read_only:
        _restrict(target, kernel.MS_RDONLY | kernel.MS_NOSUID)


def python_places(python):
    """Folders (to bind) and links (to repeat) that a Python needs at the paths it was built for."""
    program = "import json,sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
    try:
        found = subprocess.run([python, "-c", program], stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the Python for machines does not run: {error}")
    prefixes = [path for path in json.loads(found.stdout) if os.path.isdir(path)]
    for path in prefixes:
        if path in ("/", os.path.expanduser("~")):
            sys.exit(f"the Python for machines, {python}, lives in {path}: all of it would be open")
    folders = sorted({*prefixes, *(os.path.realpath(path) for path in prefixes)})
    links, path = {}, os.path.abspath(python)
    while os.path.islink(path):
        links[path] = os.readlink(path)
        path = os.path.normpath(os.path.join(os.path.dirname(path), links[path]))
    outermost = [one for one in folders if not any(one.startswith(other + "/") for other in folders)]
    return outermost, links


def _bind_python(tree, python):
    seen = [f"/{name}/" for name in SYSTEM]
    folders, links = python_places(python)
    for folder in folders:
        if not any(f"{folder}/".startswith(place) for place in seen):
            bind(folder, tree.folder(folder))
            seen.append(f"{folder}/")
    for path, target in links.items():
        if not any(path.startswith(place) for place in seen):
            tree.link(path, target)


def _bind_system(tree):
    for name in SYSTEM:
        if os.path.islink(f"/{name}"):
            tree.link(name, os.readlink(f"/{name}"))
        elif os.path.isdir(f"/{name}"):
            bind(f"/{name}", tree.folder(name))
    for name in CONFIGURATION:
        if os.path.isdir(f"/etc/{name}"):
            bind(os.path.realpath(f"/etc/{name}"), tree.folder(f"etc/{name}"))
    for name in ("devices", "class", "bus", "module"):
        if os.path.isdir(f"/sys/{name}"):
            bind(f"/sys/{name}", tree.folder(f"sys/{name}"))


def _shadow_programs(tree, names):
    """Lay the stand-ins over /usr/bin and /usr/sbin: units call /usr/bin/systemctl by its path."""
    shims = tree.folder("opt/offline/bin")
    os.chdir(tree.root)  # Relative paths: an overlay's options cannot hold every character.
    for folder in ("usr/bin", "usr/sbin", "bin", "sbin"):
        if os.path.islink(folder) or not os.path.isdir(folder):
            continue
        try:
            layers = f"lowerdir=opt/offline/bin:{folder}"
            kernel.mount("overlay", folder, "overlay", kernel.MS_RDONLY | kernel.MS_NOSUID, layers)
        except OSError:  # An old kernel: at least what the computer has is shadowed.
            for name in names:
                if os.path.exists(f"{folder}/{name}"):
                    bind(f"{shims}/{name}", os.path.realpath(f"{folder}/{name}"))


def _make_devices(tree):
    folder = tree.folder("dev")
    kernel.mount("tmpfs", folder, "tmpfs", kernel.MS_NOSUID, "mode=755,size=1m")
    inside = Tree(folder, tree.owner)
    gpus = [path for name in GPU_DEVICES for path in glob.glob(f"/dev/{name}")]
    groups = set()
    for path in [f"/dev/{name}" for name in DEVICES] + gpus:
        if not os.path.exists(path):
            continue
        name = os.path.basename(path)
        place = inside.folder(name) if os.path.isdir(path) else inside.file(name)
        bind(path, place, read_only=False)
    for path in gpus:
        nodes = glob.glob(f"{path}/*") if os.path.isdir(path) else [path]
        groups.update(os.stat(node).st_gid for node in nodes)
    kernel.mount("tmpfs", inside.folder("shm"), "tmpfs", kernel.MS_NOSUID, "mode=1777")
    terminals = kernel.MS_NOSUID | kernel.MS_NOEXEC
    kernel.mount("devpts", inside.folder("pts"), "devpts", terminals, "newinstance,ptmxmode=0666")
    inside.link("ptmx", "pts/ptmx")
    inside.link("fd", "/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        inside.link(name, f"/proc/self/fd/{number}")
    return groups


def _make_proc(tree):
    folder = tree.folder("proc")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", folder, "proc", flags)
    for name in READ_ONLY_PROC:
        if os.path.exists(f"{folder}/{name}"):
            bind(f"{folder}/{name}", f"{folder}/{name}")
    # A boot of its own: by this number programs notice that a machine was booted again.
    boot_id = tree.file("run/offline/boot_id", f"{uuid.uuid4()}\n".encode(), 0o444)
    bind(boot_id, f"{folder}/sys/kernel/random/boot_id")
    for name in HIDDEN_PROC:
        path = f"{folder}/{name}"
        if os.path.isdir(path):
            kernel.mount("tmpfs", path, "tmpfs", flags | kernel.MS_RDONLY, "size=0")
        elif os.path.exists(path):
            bind(f"{tree.root}/dev/null", path)


def _enter_user_namespace(groups):
    """Become the root of a user namespace whose ids mean nothing on the computer."""
    kernel_end, own_end = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(kernel_end, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/1/{name}", "w", encoding="ascii") as file:
                file.write(f"0 {FIRST_ID} {IDS}\n")
        os._exit(0)
    os.setgroups(sorted(groups))
    kernel.unshare(kernel.CLONE_NEWUSER)
    os.write(own_end, b".")
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("the user namespace's ids could not be mapped")
    os.close(kernel_end)
    os.close(own_end)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def enter(order, names):
    """Make the order's directory this process's root and give up every right outside of it."""
    instance_id, python, way = order["instanceId"], order["python"], order["way"]
    tree = Tree(os.path.realpath(order["directory"]), FIRST_ID if way == "mapped" else None)
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount(tree.root, tree.root, None, kernel.MS_BIND)
    _restrict(tree.root, kernel.MS_NOSUID | kernel.MS_NODEV)
    tree.own(tree.root)
    socket.sethostname(instance_id)
    if os.path.isdir(f"{tree.root}/tmp") and not os.path.islink(f"{tree.root}/tmp"):
        shutil.rmtree(f"{tree.root}/tmp")
    tree.folder("tmp", 0o1777)
    make_folders(tree)
    make_identity(tree, instance_id)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", tree.folder("run"), "tmpfs", flags, "mode=755")
    tree.own(f"{tree.root}/run")
    for name in run_folders(order):
        tree.folder(name)
    tree.folder("run/offline")
    _bind_system(tree)
    for path in dict.fromkeys([sys.executable, python]):
        if path is not None:
            _bind_python(tree, path)
    write_shims(tree, names)
    write_aws(tree, order["role"])
    write_python(tree, python)
    if os.path.exists("/usr/bin/date"):  # The stand-in covers it, and needs it.
        bind(os.path.realpath("/usr/bin/date"), tree.file("opt/offline/lib/date"))
        write_date(tree, "/opt/offline/lib/date")
    groups = _make_devices(tree)
    _make_proc(tree)
    _shadow_programs(tree, (*names, "date", "aws"))
    os.chdir(tree.root)
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")
    if way == "mapped":
        _enter_user_namespace(groups)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
