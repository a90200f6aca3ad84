"""Damages an FMU, and its description, in COUNT ways each, and tries to take it: damage.py FOLDER_OF_ADAPTER FMU COUNT"""
import argparse
import json
import os
import random
import sys
import tempfile
import zipfile

sys.path.insert(0, sys.argv[1])
import fmu_plant

DESCRIPTION = "modelDescription.xml"
random.seed(20)


def damaged(data, times):
    """Bytes are changed, those of the directory at the end more often, or taken out."""
    data = bytearray(data)
    for _ in range(times):
        at = random.choice([random.randrange(len(data)), len(data) - 1 - random.randrange(min(250, len(data)))])
        if random.random() < 0.3:
            del data[at : at + random.randint(1, 40)]
        else:
            data[at] = random.randrange(256)
    return bytes(data)


def damaged_description(path, to):
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            copy.writestr(name, damaged(data, random.randint(1, 4)) if name == DESCRIPTION else data)


def is_taken(path):
    options = argparse.Namespace(fmu=path, local=["loss.w_k"], without=[], set=["capacity_j_k=3"], safe=["heater_on=0"])
    options.step_us = None
    with tempfile.TemporaryDirectory() as folder:
        return not fmu_plant.unpacked(options, folder)[1]


path, count = sys.argv[2], int(sys.argv[3])
whole = open(path, "rb").read()
to = f"{path}.damaged"
taken = 0
for _ in range(count):
    with open(to, "wb") as file:
        file.write(damaged(whole, random.randint(1, 6)))
    taken += is_taken(to)
    damaged_description(path, to)
    taken += is_taken(to)
os.remove(to)
print(json.dumps({"refused": 2 * count - taken, "taken": taken}))
