"""The zip that an FMU is: looked at before anything of it is unpacked, and unpacked only into the folder that is given."""
import platform
import re
import stat
import zipfile
import zlib

BYTES_MAX = 1 << 30  # Of all that is unpacked. zipfile gives no more of an entry than its header says.
ENTRIES_MAX = 20_000
DESCRIPTION = "modelDescription.xml"
DESCRIPTION_BYTES_MAX = 64 << 20
# What zipfile throws at something that is not there, is damaged, or is packed in a way that it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)

# Only Linux was tried. FMI 2.0.4, 2.3, has these names; other machines are written as in FMI 3.0.
FMI2_FOLDERS = {"x86_64": "linux64", "x86": "linux32"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "i386": "x86", "i686": "x86"}



def archive_problems(archive):
    """All that keeps it from being unpacked."""
    entries = archive.infolist()
    if len(entries) > ENTRIES_MAX:
        return [f"the zip has {len(entries)} entries, at most {ENTRIES_MAX} are unpacked"]
    problems = []
    for entry in entries:
        name = entry.filename
        if name.startswith("/") or "\\" in name or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
            problems.append(f"the zip has {name!r}: a path that leads out of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            problems.append(f"the zip has {name!r}: a link")
        if entry.flag_bits & 1:
            problems.append(f"the zip has {name!r}: encrypted")
    size = sum(entry.file_size for entry in entries)
    if size > BYTES_MAX:
        problems.append(f"unpacked it is {size} bytes, at most {BYTES_MAX} are unpacked")
    return problems


def description_of(archive):
    """The text of its description, and the problem with it or None."""
    try:
        entry = archive.getinfo(DESCRIPTION)
        if entry.file_size > DESCRIPTION_BYTES_MAX:
            return None, f"{DESCRIPTION} is {entry.file_size} bytes, at most {DESCRIPTION_BYTES_MAX}"
        return archive.read(entry), None
    except KeyError:
        return None, f"there is no {DESCRIPTION} in it: not an FMU"
    except BROKEN as error:
        return None, f"{DESCRIPTION} cannot be read: {error}"


def binary_path(archive, version, identifier):
    """Path of the library for this machine in the zip, and the problem with it or None."""
    names = archive.namelist()
    machine = platform.machine().lower()
    machine = MACHINES.get(machine, machine)
    folder = FMI2_FOLDERS.get(machine, f"{machine}-linux") if version == 2 else f"{machine}-linux"
    path = f"binaries/{folder}/{identifier}.so"
    if platform.system() != "Linux":
        return path, f"FMUs are taken on Linux, this is {platform.system()}"
    if path in names:
        return path, None
    there = sorted(name for name in names if name.startswith("binaries/") and not name.endswith("/"))
    has = ", ".join(there[:8]) or ("sources only" if any(name.startswith("sources/") for name in names) else "none")
    return path, f"there is no {path}; what it has: {has}"


def unpack(archive, folder):
    """Unpacks it when there are no problems; what is then still wrong with it, or None."""
    try:
        archive.extractall(folder)
        return None
    except BROKEN as error:
        return f"it cannot be unpacked: {error}"
