"""What modelDescription.xml says of an FMU for co-simulation, 2.0 or 3.0, and which of it goes over the bench's protocol."""
import math
import re
from dataclasses import dataclass
from xml.etree import ElementTree

PROTOCOL_NAME = re.compile("[a-z][a-z0-9_]{0,62}")
NAMES_MAX, UNIT_MAX = 1024, 32
# How a type of the description is read and written. Enumerations of FMI 2.0 are integers (2.0.4, 2.2.7).
KINDS = {
    2: {"Real": "Real", "Integer": "Integer", "Enumeration": "Integer", "Boolean": "Boolean"},
    3: {"Float64": "Float64", "Float32": "Float32", "Int32": "Int32", "Boolean": "Boolean"},
}
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Variable:
    name: str
    reference: int
    type: str
    kind: str  # One of KINDS; "" where it cannot be carried, then why_not says why.
    why_not: str
    causality: str
    settable: bool  # Before initialization (2.0.4, 4.2.4; 3.0, 2.3.2).
    unit: str
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Description:
    version: int
    model: str
    identifier: str
    token: str
    step_s: float  # Of its default experiment; 0 where it names none.
    internal_step_s: float  # 0 where it is not fixed.
    saves: bool
    variables: dict


def read_description(text):
    """The description, or None, and all problems with it."""
    if b"<!DOCTYPE" in text:
        return None, ["modelDescription.xml has a DOCTYPE, which no FMU needs"]
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # The latter two: an encoding that there is not.
        return None, [f"modelDescription.xml is not XML: {error}"]
    said = root.get("fmiVersion", "")
    version = {"2.0": 2, "3.0": 3}.get(re.sub(r"(?<=\.0)\.\d+$", "", said))
    if root.tag != "fmiModelDescription" or version is None:
        return None, [f"FMI version {said!r}; 2.0 and 3.0 are taken"]
    slave = root.find("CoSimulation")
    if slave is None:
        return None, ["it is not for co-simulation: there is no CoSimulation element"]
    problems = []
    variables = _variables(root, version, problems)
    experiment = root.find("DefaultExperiment")
    token = root.get("guid" if version == 2 else "instantiationToken", "")
    identifier = slave.get("modelIdentifier", "")
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", identifier):
        problems.append(f"modelIdentifier is {identifier!r}, which is no C identifier")
    tool = root.get("generationTool", "")
    model = f"{root.get('modelName', '')} {root.get('version', '')} (FMI {said}{', ' if tool else ''}{tool})"
    return Description(
        version=version,
        model=model[:512],
        identifier=identifier,
        token=token,
        step_s=_number({} if experiment is None else experiment, "stepSize", 0, "DefaultExperiment", problems),
        internal_step_s=_number(slave, "fixedInternalStepSize", 0, "CoSimulation", problems),
        saves=slave.get("canGetAndSetFMUstate" if version == 2 else "canGetAndSetFMUState") in ("true", "1"),
        variables=variables,
    ), problems


def _variables(root, version, problems):
    types = {one.get("name"): one for one in root.iterfind("TypeDefinitions/*")}
    variables = {}
    for one in root.iterfind("ModelVariables/*"):
        variable = _variable(one, version, types, problems)
        if variable.name in variables:
            problems.append(f"variable {variable.name!r} is there twice")
        variables[variable.name] = variable
    return variables


def _variable(one, version, types, problems):
    # FMI 2.0.4, 2.2.7: the type is an element inside, with its attributes. In 3.0 the element itself is the type.
    inner = next((child for child in one if version == 3 or child.tag in (*KINDS[2], "String")), None)
    attributes = one if version == 3 or inner is None else inner
    type_name = "" if version == 2 and inner is None else attributes.tag
    declared = types.get(attributes.get("declaredType"), {})
    if version == 2 and len(declared) > 0:
        declared = declared[0]
    kind = KINDS[version].get(type_name, "")
    why_not = "" if kind else f"is {type_name or 'of no known type'}"
    if version == 3 and one.find("Dimension") is not None:
        kind, why_not = "", "is an array"
    if version == 3 and one.get("clocks") is not None:
        kind, why_not = "", "is clocked"
    name, causality = one.get("name", ""), one.get("causality", "local")
    initial = one.get("initial") or ("exact" if causality in ("parameter", "input") else "")

    def number(key, otherwise):
        source = declared if attributes.get(key) is None else attributes
        return _number(source, key, otherwise, f"variable {name!r}", problems)

    reference = one.get("valueReference", "")
    if not re.fullmatch("[0-9]{1,10}", reference) or int(reference) >= 2**32:
        problems.append(f"variable {name!r}: valueReference is {reference!r}")
        reference = "0"
    return Variable(
        name=name,
        reference=int(reference),
        type=type_name,
        kind=kind,
        why_not=why_not,
        causality=causality,
        settable=initial in ("exact", "approx") and one.get("variability") != "constant",
        unit=attributes.get("unit") or declared.get("unit") or "1",
        minimum=number("min", -math.inf),
        maximum=number("max", math.inf),
    )


def _number(attributes, key, otherwise, where, problems):
    text = attributes.get(key)
    try:
        return otherwise if text is None else float(text)
    except ValueError:
        problems.append(f"{where}: {key} is {text!r}, which is no number")
        return otherwise


def protocol_name(name):
    """In lower case, each run of anything but letters and digits as one `_`, none at the ends: `Tank[1].level` is tank_1_level."""
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")


def chosen(description, local, without):
    """Signals and inputs by the name that the bench knows, and all problems with them."""
    problems = []
    for name in local:
        if name not in description.variables or description.variables[name].causality != "local":
            problems.append(f"--local {name}: it has no local variable of this name")
    for name in without:
        if name not in description.variables:
            problems.append(f"--without {name}: it has no variable of this name")
    signals, inputs = {}, {}
    for variable in description.variables.values():
        is_signal = variable.causality == "output" or (variable.causality == "local" and variable.name in local)
        if variable.name not in without and (is_signal or variable.causality == "input"):
            _choose(variable, signals if is_signal else inputs, problems)
    for what, those in (("outputs", signals), ("inputs", inputs)):
        if len(those) > NAMES_MAX:
            problems.append(f"it has {len(those)} {what}, at most {NAMES_MAX} are taken")
    return signals, inputs, problems


def _choose(variable, those, problems):
    name, said = protocol_name(variable.name), f"{variable.causality} {variable.name!r}"
    if variable.why_not:
        problems.append(f"{said} {variable.why_not}, which the bench does not take")
    if not PROTOCOL_NAME.fullmatch(name):
        problems.append(f"{said} would be {name!r} on the bench, which is no name: a letter first, at most 63 characters")
    elif name in those:
        problems.append(f"{said} would be {name!r} on the bench, as {those[name].name!r} is already")
    if len(variable.unit) > UNIT_MAX:
        problems.append(f"{said}: its unit is longer than {UNIT_MAX} characters")
    those.setdefault(name, variable)


def value_problem(variable, value):
    """Why a variable cannot be set to a number, or ''."""
    if variable.why_not:
        return f"{variable.name!r} {variable.why_not}"
    if not math.isfinite(value):
        return f"{variable.name!r} = {value} is not finite"
    if variable.kind == "Boolean" and value not in (0, 1):
        return f"{variable.name!r} = {value}, expected 0 or 1"
    if variable.kind in ("Integer", "Int32") and (value != math.floor(value) or not -INT32_MAX - 1 <= value <= INT32_MAX):
        return f"{variable.name!r} = {value}, expected a whole number of 32 bits"
    if not variable.minimum <= value <= variable.maximum:
        return f"{variable.name!r} = {value}, expected {variable.minimum} to {variable.maximum}"
    return ""
