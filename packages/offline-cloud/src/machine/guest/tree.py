"""Files that a machine is given: its identity, the stand-ins, the folders of a system."""

import json
import os
import shutil
import sys

COPIED = ("resolv.conf", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "localtime", "services")


class Tree:
    """Makes folders and files below the machine's root, never through a link left by a guest."""

    def __init__(self, root, owner):
        self.root, self.owner = root, owner

    def own(self, path):
        if self.owner is not None:
            os.chown(path, self.owner, self.owner, follow_symlinks=False)

    def folder(self, inside, mode=0o755):
        path = self.root
        for part in inside.strip("/").split("/"):
            path = os.path.join(path, part)
            if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
                os.unlink(path)
            if not os.path.lexists(path):
                os.mkdir(path, mode)
                os.chmod(path, mode)
                self.own(path)
        return path

    def _fresh(self, inside):
        path = os.path.join(self.folder(os.path.dirname(inside) or "."), os.path.basename(inside))
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        return path

    def file(self, inside, content=b"", mode=0o644):
        path = self._fresh(inside)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        self.own(path)
        return path

    def link(self, inside, target):
        path = self._fresh(inside)
        os.symlink(target, path)
        self.own(path)


def make_identity(tree, instance_id):
    """The machine's own /etc, written at its first boot only: it is the guest's from then on."""
    if os.path.lexists(f"{tree.root}/etc/os-release"):
        return
    own = {
        "passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
        "hostname": f"{instance_id}\n",
        "hosts": f"127.0.0.1 localhost {instance_id}\n::1 localhost\n",
        "machine-id": f"{instance_id[2:]:0<32}\n",
        "os-release": 'NAME="gpu-actions offline cloud"\nID=offline-cloud\n'
        'PRETTY_NAME="gpu-actions offline cloud (a process tree on this computer, not a VM)"\n',
    }
    for name in COPIED:
        if os.path.isfile(f"/etc/{name}"):
            with open(f"/etc/{name}", "rb") as file:
                tree.file(f"etc/{name}", file.read())
    for name, content in own.items():
        tree.file(f"etc/{name}", content.encode())


def write_shims(tree, names, prefix=""):
    """The stand-ins for systemd's programs; `prefix` is where the tree is seen by the guest."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py"), "rb") as file:
        tree.file("opt/offline/lib/shim.py", file.read())
    shim, place = f"{prefix}/opt/offline/lib/shim.py", f"{prefix}/run/offline/control"
    for name in names:
        line = f"exec '{sys.executable}' -I -S -B '{shim}' '{place}' '{name}' \"$@\""
        tree.file(f"opt/offline/bin/{name}", f"#!/bin/sh\n{line}\n".encode(), 0o755)


def write_aws(tree, role, prefix=""):
    """The stand-in for the AWS CLI, with the keys of the instance's role (None: it has no role)."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "aws_cli.py"), "rb") as file:
        tree.file("opt/offline/lib/aws_cli.py", file.read())
    tree.file("opt/offline/lib/role.json", json.dumps(role).encode(), 0o600)
    program, keys = f"{prefix}/opt/offline/lib/aws_cli.py", f"{prefix}/opt/offline/lib/role.json"
    line = f"exec '{sys.executable}' -I -S -B '{program}' '{keys}' \"$@\""
    tree.file("opt/offline/bin/aws", f"#!/bin/sh\n{line}\n".encode(), 0o755)


DATE = r"""#!/bin/sh
# The cloud's time where its clock was moved: seconds ahead of this computer's are in {clock}.
read -r ahead <'{clock}' || ahead=0
for word; do
  case $word in
  --date* | --set* | --file* | --reference*) ahead=0 ;;
  --* | -I*) ;;
  -*[drsfv]*) ahead=0 ;;
  esac
done
[ "$ahead" != 0 ] || exec '{real}' "$@"
exec '{real}' {option}"$(($('{real}' +%s) + ahead))" "$@"
"""


def write_date(tree, real, prefix=""):
    """The stand-in for date, which is how scripts look at the clock."""
    option = "-d @" if sys.platform == "linux" else "-r "
    text = DATE.format(clock=f"{prefix}/run/offline/ahead", real=real, option=option)
    tree.file("opt/offline/bin/date", text.encode(), 0o755)


def write_python(tree, python):
    """/opt/pytorch/bin/python, where the Deep Learning AMIs have theirs."""
    if python is None or python.startswith("/opt/pytorch/bin/"):
        return
    for name in ("python", "python3"):
        line = f"exec '{python}' \"$@\""
        tree.file(f"opt/pytorch/bin/{name}", f"#!/bin/sh\n{line}\n".encode(), 0o755)


def run_folders(order):
    """By the folder in /run programs tell that systemd is there."""
    return ("run/systemd/system",) if order["systemd"] else ()


def make_folders(tree):
    for name in ("etc/systemd/system", "home", "mnt", "opt", "srv", "var/log", "var/lib/cloud"):
        tree.folder(name)
    tree.folder("root", 0o700)
    tree.folder("var/tmp", 0o1777)
