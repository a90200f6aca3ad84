"""An FMU for co-simulation (FMI 2.0 or 3.0) as a plant: python3 fmu_plant.py MODEL.fmu ENDPOINT [--safe heater_on=0 ...]

docs/operating/hil-plants.md says what is taken. Exit codes: 0 safe, 78 not taken (nothing of it was loaded), 1 anything else.
"""
import argparse
import math
import signal
import sys
import tempfile
import zipfile
from pathlib import Path

import plant_client
from fmu_archive import BROKEN, archive_problems, binary_path, description_of, unpack
from fmu_description import chosen, read_description, value_problem
from fmu_library import Fmu2, Fmu3, FmuError

NOT_TAKEN, NOT_WELL = 78, 1
STEP_MAX_US = 60_000_000


class FmuPlant:
    """What `plant_client.serve` moves. safe_values: by the name of the input on the bench."""

    def __init__(self, fmu, signals, inputs, safe_values, step_us):
        self._fmu, self._signals, self._variables = fmu, signals, inputs
        self._safe_values, self._step_us, self._at_us = safe_values, step_us, 0
        self.inputs = {name: fmu.get(variable) for name, variable in inputs.items()}
        self._taken = dict(self.inputs)  # The last inputs that nobody refused.

    def step(self):
        problems = [value_problem(variable, self.inputs[name]) for name, variable in self._variables.items()]
        if any(problems):
            raise FmuError("; ".join(filter(None, problems)))
        for name, variable in self._variables.items():
            self._fmu.set(variable, self.inputs[name])
        self._taken = dict(self.inputs)
        # From the count of steps and not from a sum, which would drift.
        self._fmu.step(self._at_us / 1_000_000, self._step_us / 1_000_000)
        self._at_us += self._step_us

    def read(self):
        values = {name: self._fmu.get(variable) for name, variable in self._signals.items()}
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise FmuError(f"{', '.join(wrong)} at {self._at_us / 1_000_000} s")
        return values

    def safe(self):
        try:
            if self._safe_values:
                self._make_safe()
        finally:
            self._fmu.end()

    def _make_safe(self):
        if not self._fmu.restore():
            raise FmuError(f"it was not made safe: it is {self._fmu.state}, and then the standard allows no further step")
        self.inputs = {**self._taken, **self._safe_values}
        self.step()


def given(pairs, option, find, problems):
    """Variables and values of NAME=VALUE options. find: the variable of a name, or None."""
    settings = []
    for pair in pairs:
        name, _, text = pair.rpartition("=")
        variable = find(name)
        try:
            value = float({"true": "1", "false": "0"}.get(text, text))
        except ValueError:
            value = None
        if variable is None:
            problems.append(f"{option} {pair}: there is no {name!r} that can be set so")
        elif value is None:
            problems.append(f"{option} {pair}: {text!r} is no number")
        elif value_problem(variable, value):
            problems.append(f"{option} {pair}: {value_problem(variable, value)}")
        else:
            settings.append((name, variable, value))
    return settings


def step_of(description, asked_us, problems):
    """Communication step in µs: what was asked for, or that of the default experiment."""
    own_us = description.step_s * 1_000_000 if math.isfinite(description.step_s) else 0
    step_us = round(own_us) if asked_us is None else asked_us
    if asked_us is None and (step_us < 1 or abs(step_us - own_us) > 1e-6):
        problems.append("it names no step of whole µs in DefaultExperiment: give one with --step-us")
    elif not 1 <= step_us <= STEP_MAX_US:
        problems.append(f"a step of {step_us} µs, expected 1 to {STEP_MAX_US}")
    ratio = step_us / 1_000_000 / description.internal_step_s if description.internal_step_s > 0 else 1
    if abs(ratio - round(ratio)) > 1e-9 or round(ratio) < 1:
        problems.append(f"a step of {step_us} µs is no multiple of its own, {description.internal_step_s} s")
    return step_us


def prepared(archive, options):
    """All that is needed to load it, or None, and all problems."""
    problems = archive_problems(archive)
    text, problem = description_of(archive)
    if problem is not None:
        return None, [*problems, problem]
    description, more = read_description(text)
    problems += more
    if description is None:
        return None, problems
    signals, inputs, more = chosen(description, options.local, options.without)
    problems += more
    binary, problem = binary_path(archive, description.version, description.identifier)
    problems += [problem] if problem else []

    def settable(name):
        variable = description.variables.get(name)
        return variable if variable is not None and variable.settable else None

    settings = [(variable, value) for _, variable, value in given(options.set, "--set", settable, problems)]
    safe_values = {name: value for name, _, value in given(options.safe, "--safe", inputs.get, problems)}
    step_us = step_of(description, options.step_us, problems)
    return (description, binary, signals, inputs, settings, safe_values, step_us), problems


def unpacked(options, folder):
    """The parts of an FMU that is unpacked into a folder, or None, and all problems."""
    try:
        with zipfile.ZipFile(options.fmu) as archive:
            parts, problems = prepared(archive, options)
            problem = None if problems else unpack(archive, folder)
            return parts, [*problems, problem] if problem else problems
    except BROKEN as error:
        return None, [f"{options.fmu}: {error}"]


def run(folder, parts, endpoint):
    description, binary, signals, inputs, settings, safe_values, step_us = parts
    fmu = (Fmu2 if description.version == 2 else Fmu3)(Path(folder) / binary, description, saves=bool(safe_values))
    try:
        fmu.instantiate(folder)
        fmu.start(settings)
        plant = FmuPlant(fmu, signals, inputs, safe_values, step_us)
    except BaseException:
        if fmu.state != "lost":  # Why it was lost is what is to be told.
            fmu.end()
        raise
    units = [{name: variable.unit for name, variable in those.items()} for those in (signals, inputs)]
    return plant_client.serve(plant, endpoint, description.model, step_us, *units)


def main():
    parser = argparse.ArgumentParser(description="An FMU for co-simulation as a plant of the bench.")
    parser.add_argument("fmu", help="the FMU")
    parser.add_argument("endpoint", help="where the bench listens: {endpoint} in a scenario")
    parser.add_argument("--step-us", type=int, help="communication step; by default that of its DefaultExperiment")
    pairs = {"action": "extend", "nargs": "+", "default": [], "metavar": "NAME=VALUE"}
    names = {"action": "extend", "nargs": "+", "default": [], "metavar": "NAME"}
    parser.add_argument("--safe", **pairs, help="inputs, by their names on the bench, that make it safe")
    parser.add_argument("--set", **pairs, help="parameters and start values, by their names in the FMU")
    parser.add_argument("--local", **names, help="local variables that are signals too, by their names in the FMU")
    parser.add_argument("--without", **names, help="inputs and outputs to leave out, by their names in the FMU")
    options = parser.parse_args()
    # So that it is made safe, freed and its folder removed also when the bench ends it by a signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="hb-fmu-") as folder:
        parts, problems = unpacked(options, folder)
        if problems:
            print("\n".join(f"fmu_plant: {problem}" for problem in problems), file=sys.stderr)
            return NOT_TAKEN
        try:
            return run(folder, parts, options.endpoint)
        except (FmuError, OSError) as error:
            print(f"fmu_plant: {error}", file=sys.stderr)
            return NOT_WELL


if __name__ == "__main__":
    sys.exit(main())
