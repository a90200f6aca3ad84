"""The C functions of an FMU for co-simulation, 2.0.4 and 3.0, by ctypes: one instance, and no call that the standard does not allow."""
import ctypes
import time
from collections import deque
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_float, c_int, c_int32, c_size_t, c_uint, c_void_p
from pathlib import Path

STATUS = ("OK", "Warning", "Discard", "Error", "Fatal", "Pending")
OK, WARNING, DISCARD, ERROR, FATAL, PENDING = range(6)
CO_SIMULATION, DO_STEP_STATUS, LAST_SUCCESSFUL_TIME, TERMINATED = 1, 0, 2, 3  # FMI 2.0.4, 2.1.5 and 4.2.3
PENDING_MAX_S = 25  # Less than the 30 s after which the bench calls the plant late.
MESSAGES_MAX, MESSAGE_MAX = 4, 200


class FmuError(Exception):
    """What the FMU refused or could not do, with what it said."""


class Fmu:
    """state: what came of the last calls. Only a "ready" one may be set, read and stepped; nothing may be asked of a "lost" one."""

    def __init__(self, path, description, saves):
        """saves: whether it is to be gone back with, if it can be."""
        self._description, self._saves = description, saves and description.saves
        self._library = ctypes.CDLL(str(path))
        self._said = deque(maxlen=MESSAGES_MAX)
        self._instance, self._saved = None, c_void_p()
        self._is_running = False
        self.state = "ready"
        missing = [self.prefix + name for name in self._signatures() if not hasattr(self._library, self.prefix + name)]
        if missing:
            raise FmuError(f"its library has no {', '.join(missing)}")
        for name, arguments in self._signatures().items():
            function = self._function(name)
            function.argtypes = arguments
            function.restype = c_void_p if name.startswith("Instantiate") else None if name == "FreeInstance" else c_int

    def _signatures(self):
        by_kind = {}
        for kind, c_type in self.types.items():
            sizes = [c_size_t] if self.has_sizes else []
            for verb in ("Get", "Set"):
                by_kind[verb + kind] = [c_void_p, POINTER(c_uint), c_size_t, POINTER(c_type), *sizes]
        if self._saves:
            by_kind[f"Get{self.state_name}"] = by_kind[f"Free{self.state_name}"] = [c_void_p, POINTER(c_void_p)]
            by_kind[f"Set{self.state_name}"] = [c_void_p, c_void_p]
        used = {variable.kind for variable in self._description.variables.values()}
        needed = {name: types for name, types in by_kind.items() if name[3:] in used or name[3:] not in self.types}
        simple = {"ExitInitializationMode": [c_void_p], "Terminate": [c_void_p], "FreeInstance": [c_void_p]}
        return {**needed, **simple, **self.own}

    def _function(self, name):
        return getattr(self._library, self.prefix + name)

    def _take(self, status, message):
        if status >= WARNING and message:
            self._said.append(message.decode("utf-8", "replace")[:MESSAGE_MAX])

    def _words(self):
        return "".join(f": {one}" for one in self._said)

    def _call(self, name, *arguments):
        self._said.clear()
        status = self._function(name)(self._instance, *arguments)
        if status == PENDING and name == "DoStep":
            status = self._wait()
        if status in (OK, WARNING):
            return
        if status == FATAL:
            self.state = "lost"
        elif status in (ERROR, PENDING):
            self.state = "failed"
        elif name == "DoStep":
            self.state = "discarded"
        said = STATUS[status] if 0 <= status < len(STATUS) else status
        more = self._discarded() if self.state == "discarded" else ""
        raise FmuError(f"{self.prefix}{name} gave {self.prefix}{said}{self._words()}{more}")

    def _wait(self):
        return PENDING

    def _discarded(self):
        return ""

    def _instantiated(self, instance):
        if not instance:
            raise FmuError(f"it refused to be instantiated{self._words()}")
        self._instance = c_void_p(instance)

    def set(self, variable, value):
        is_real = self.types[variable.kind] in (c_double, c_float)
        self._access("Set", variable, self.types[variable.kind](value if is_real else int(value)))

    def get(self, variable):
        value = self.types[variable.kind]()
        self._access("Get", variable, value)
        return value.value if variable.kind != "Boolean" else int(value.value)

    def _access(self, verb, variable, value):
        sizes = [1] if self.has_sizes else []
        try:
            self._call(verb + variable.kind, byref(c_uint(variable.reference)), 1, byref(value), *sizes)
        except FmuError as error:
            raise FmuError(f"{variable.name!r}: {error}") from None

    def start(self, settings):
        """Parameters and start values, then through initialization: it is where it begins."""
        self._begin(settings)
        self._call("ExitInitializationMode")
        self._is_running = True

    def step(self, at_s, step_s):
        """One communication step. Its state is saved before, so that it can be made safe after a step that fails."""
        if self._saves:
            self._call(f"Get{self.state_name}", byref(self._saved))
        self._step(at_s, step_s)

    def restore(self):
        """Back to before the step that failed. Whether it is ready again."""
        if self.state in ("discarded", "failed") and self._saved:
            self._call(f"Set{self.state_name}", self._saved)
            self.state = "ready"
        return self.state == "ready"

    def end(self):
        """Terminates and frees it, as far as the standard allows after what came before."""
        if self._instance is None:
            return
        if self.state == "lost":
            raise FmuError(f"after {self.prefix}Fatal nothing may be asked of it, not even to end")
        try:
            if self._saved:
                self._call(f"Free{self.state_name}", byref(self._saved))
            if self._is_running and self.state in ("ready", "discarded"):
                self._call("Terminate")
        finally:
            if self.state != "lost":
                self._function("FreeInstance")(self._instance)
            self._instance = None


class Callbacks2(ctypes.Structure):
    """FMI 2.0.4, 2.1.5: fmi2CallbackFunctions."""

    # The logger takes more arguments, for the places in its text. They cannot be had here: the text stays as it is.
    LOGGER = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_int, c_char_p, c_char_p)
    _fields_ = [
        ("logger", LOGGER),
        ("allocateMemory", c_void_p),
        ("freeMemory", c_void_p),
        ("stepFinished", c_void_p),
        ("componentEnvironment", c_void_p),
    ]


class Fmu2(Fmu):
    prefix, state_name, has_sizes = "fmi2", "FMUstate", False
    types = {"Real": c_double, "Integer": c_int, "Boolean": c_int}
    own = {
        "Instantiate": [c_char_p, c_int, c_char_p, c_char_p, POINTER(Callbacks2), c_int, c_int],
        "SetupExperiment": [c_void_p, c_int, c_double, c_double, c_int, c_double],
        "EnterInitializationMode": [c_void_p],
        "DoStep": [c_void_p, c_double, c_double, c_int],
        "GetStatus": [c_void_p, c_int, POINTER(c_int)],
        "GetRealStatus": [c_void_p, c_int, POINTER(c_double)],
        "GetBooleanStatus": [c_void_p, c_int, POINTER(c_int)],
    }

    def instantiate(self, folder):
        libc = ctypes.CDLL(None)
        allocate, free = (ctypes.cast(function, c_void_p).value for function in (libc.calloc, libc.free))
        logger = Callbacks2.LOGGER(lambda _env, _name, status, _category, text: self._take(status, text))
        self._callbacks = Callbacks2(logger, allocate, free, None, None)  # The FMU keeps pointing at it.
        resources = (Path(folder) / "resources").as_uri().encode()
        token = self._description.token.encode()
        made = self._function("Instantiate")(b"plant", CO_SIMULATION, token, resources, byref(self._callbacks), 0, 1)
        self._instantiated(made)

    def _begin(self, settings):
        self._call("SetupExperiment", 0, 0.0, 0.0, 0, 0.0)
        for variable, value in settings:
            self.set(variable, value)
        self._call("EnterInitializationMode")

    def _step(self, at_s, step_s):
        self._call("DoStep", at_s, step_s, 1)

    def _wait(self):
        """4.2.2: a step that goes on by itself is asked for until it has ended."""
        status, until = c_int(PENDING), time.monotonic() + PENDING_MAX_S
        while status.value == PENDING and time.monotonic() < until:
            time.sleep(0.0005)
            if self._function("GetStatus")(self._instance, DO_STEP_STATUS, byref(status)) not in (OK, WARNING):
                return ERROR
        return status.value

    def _discarded(self):
        """4.2.3: how far it came, and whether it wants to end."""
        wants_end, reached_s = c_int(), c_double()
        said = ""
        if self._function("GetBooleanStatus")(self._instance, TERMINATED, byref(wants_end)) == OK and wants_end.value:
            said += "; it asks for the end of the simulation"
        if self._function("GetRealStatus")(self._instance, LAST_SUCCESSFUL_TIME, byref(reached_s)) == OK:
            said += f"; it came to {reached_s.value} s"
        return said


class Fmu3(Fmu):
    prefix, state_name, has_sizes = "fmi3", "FMUState", True
    types = {"Float64": c_double, "Float32": c_float, "Int32": c_int32, "Boolean": c_bool}
    LOGGER = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_char_p)
    own = {
        "InstantiateCoSimulation": [
            *[c_char_p, c_char_p, c_char_p, c_bool, c_bool, c_bool, c_bool],
            *[POINTER(c_uint), c_size_t, c_void_p, LOGGER, c_void_p],
        ],
        "EnterInitializationMode": [c_void_p, c_bool, c_double, c_double, c_bool, c_double],
        "DoStep": [c_void_p, c_double, c_double, c_bool, *[POINTER(c_bool)] * 3, POINTER(c_double)],
    }

    def instantiate(self, folder):
        self._logger = self.LOGGER(lambda _env, status, _category, text: self._take(status, text))
        # 3.0, 2.3.1: an absolute path with a separator at the end, or nothing where there are no resources.
        path = Path(folder) / "resources"
        resources = f"{path}/".encode() if path.is_dir() else None
        token = self._description.token.encode()
        # Neither event mode nor early return: a step is a step.
        flags = (False, True, False, False)
        instantiate = self._function("InstantiateCoSimulation")
        self._instantiated(instantiate(b"plant", token, resources, *flags, None, 0, None, self._logger, None))

    def _begin(self, settings):
        for variable, value in settings:
            self.set(variable, value)
        self._call("EnterInitializationMode", False, 0.0, 0.0, False, 0.0)

    def _step(self, at_s, step_s):
        events, wants_end, is_early, reached_s = c_bool(), c_bool(), c_bool(), c_double()
        self._call("DoStep", at_s, step_s, True, byref(events), byref(wants_end), byref(is_early), byref(reached_s))
        if wants_end.value or is_early.value:
            self.state = "discarded"
        if wants_end.value:
            raise FmuError(f"fmi3DoStep asks for the end of the simulation at {reached_s.value} s{self._words()}")
        if is_early.value:
            raise FmuError(f"fmi3DoStep came to {reached_s.value} s only, though early return was not allowed")
