"""Writes a zip as standard input says, also one that nobody should unpack: {"to": PATH, "entries": {NAME: {...}}}."""
import json
import sys
import zipfile

told = json.load(sys.stdin)
with zipfile.ZipFile(told["to"], "w", zipfile.ZIP_DEFLATED) as archive:
    for name, entry in told["entries"].items():
        info = zipfile.ZipInfo(name)
        info.external_attr = entry.get("mode", 0o100644) << 16
        if "file" in entry:
            with open(entry["file"], "rb") as file:
                archive.writestr(info, file.read())
        else:
            archive.writestr(info, entry["text"])
        # What its header says, true or not.
        info.file_size = entry.get("says_bytes", info.file_size)
