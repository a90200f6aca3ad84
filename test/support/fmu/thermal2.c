/*
 * The thermal plant as an FMU for co-simulation, FMI 2.0. The functions are declared by hand from the standard, FMI 2.0.4
 * (https://fmi-standard.org): types and status 2.1.2 and 2.1.3, instances and their callbacks 2.1.5, initialization 2.1.6,
 * values 2.1.7, state 2.1.8, steps 4.2.2, their status 4.2.3, what may be called when 4.2.4.
 */
#include "thermal.h"

typedef enum { OK, WARNING, DISCARDED, ERROR, FATAL, PENDING } Status;

typedef struct {
  void (*logger)(void *environment, const char *name, Status status, const char *category, const char *message, ...);
  void *(*allocateMemory)(size_t count, size_t size);
  void (*freeMemory)(void *memory);
  void (*stepFinished)(void *environment, Status status);
  void *environment;
} Callbacks;

typedef struct {
  Thermal x;
  const Callbacks *callbacks;
  int phase;
  bool is_set; /* Since the last step: nothing may be read then. */
  int questions; /* How often it is still asked whether its step has ended. */
  bool wants_end;
} Instance;

/* Where it is after a call that ended so. */
static Status went(Instance *it, int phase, Status status) { return it->phase = phase, status; }

static Status told(const Callbacks *to, Status status, const char *message) {
  to->logger(to->environment, "plant", status, "logStatusError", message);
  return status;
}

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources, const Callbacks *callbacks,
                      int visible, int logging) {
  (void)name, (void)visible, (void)logging;
  if (strcmp(guid, TOKEN) != 0) return told(callbacks, ERROR, "the GUID is not that of this library"), NULL;
  if (type != 1 || strncmp(resources, "file:///", 8) != 0) return told(callbacks, ERROR, "not what it can do"), NULL;
  Instance *made = callbacks->allocateMemory(1, sizeof *made);
  made->x = at_rest();
  made->callbacks = callbacks;
  made->phase = INSTANTIATED;
  return made;
}

void fmi2FreeInstance(Instance *it) {
  if (!is_allowed(it->phase, NOT_LOST, __func__)) return;
  note("freed", &it->x);
  it->callbacks->freeMemory(it);
}

Status fmi2SetupExperiment(Instance *it, int has_tolerance, double tolerance, double start_s, int has_stop, double stop_s) {
  (void)has_tolerance, (void)tolerance, (void)has_stop, (void)stop_s;
  ONLY(it, INSTANTIATED);
  it->x.at_s = start_s;
  return OK;
}

Status fmi2EnterInitializationMode(Instance *it) {
  ONLY(it, INSTANTIATED);
  if (it->x.capacity_j_k > 0) return went(it, INITIALIZING, OK);
  return went(it, FAILED, told(it->callbacks, ERROR, "a body without capacity"));
}

Status fmi2ExitInitializationMode(Instance *it) {
  ONLY(it, INITIALIZING);
  note("initialized", &it->x);
  return went(it, STEPPING, OK);
}

Status fmi2Terminate(Instance *it) {
  ONLY(it, STEPPING | STEP_DISCARDED);
  note("terminated", &it->x);
  return went(it, TERMINATED, OK);
}

Status fmi2GetReal(Instance *it, const unsigned int at[], size_t count, double values[]) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count; k += 1)
    if (!get_double(&it->x, at[k], &values[k])) return went(it, FAILED, told(it->callbacks, ERROR, "no such Real"));
  return OK;
}

Status fmi2SetReal(Instance *it, const unsigned int at[], size_t count, const double values[]) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count; k += 1) {
    double *to = stored(&it->x, at[k]);
    if (to == NULL) return went(it, FAILED, told(it->callbacks, ERROR, "no such Real"));
    if (it->x.trouble == REFUSES_INPUT && at[k] == HEATER_W && values[k] > 1000)
      return told(it->callbacks, DISCARDED, "more power than it has");
    *to = values[k];
  }
  return OK;
}

Status fmi2GetInteger(Instance *it, const unsigned int at[], size_t count, int values[]) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count; k += 1) values[k] = at[k] == STEPS ? it->x.steps : it->x.trouble;
  return OK;
}

Status fmi2SetInteger(Instance *it, const unsigned int at[], size_t count, const int values[]) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count; k += 1)
    if (at[k] == TROUBLE) it->x.trouble = values[k];
  return OK;
}

Status fmi2GetBoolean(Instance *it, const unsigned int at[], size_t count, int values[]) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count; k += 1) values[k] = ((void)at, it->x.heater_on);
  return OK;
}

Status fmi2SetBoolean(Instance *it, const unsigned int at[], size_t count, const int values[]) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count; k += 1) it->x.heater_on = ((void)at, values[k] != 0);
  return OK;
}

Status fmi2DoStep(Instance *it, double at_s, double step_s, int no_way_back) {
  (void)no_way_back;
  ONLY(it, STEPPING);
  int trouble = trouble_in(&it->x, at_s + step_s);
  it->is_set = false;
  it->wants_end = trouble == WANTS_END;
  it->x.at_s = at_s;
  if (trouble == DISCARD || trouble == WANTS_END)
    return went(it, STEP_DISCARDED, told(it->callbacks, DISCARDED, "the step is too long for it"));
  if (trouble == FAIL) return went(it, FAILED, told(it->callbacks, ERROR, "the body has melted"));
  if (trouble == BREAK) return went(it, LOST, told(it->callbacks, FATAL, "the memory is gone"));
  move(&it->x, step_s);
  it->x.at_s = at_s + step_s;
  if (trouble == NOT_A_NUMBER) it->x.temp_c = NAN;
  it->questions = 2;
  return trouble == SLOW ? PENDING : OK;
}

Status fmi2GetStatus(Instance *it, int kind, Status *value) {
  ONLY(it, STEPPING);
  if (kind != 0) return DISCARDED;
  *value = it->questions > 0 ? PENDING : OK;
  it->questions -= 1;
  return OK;
}

Status fmi2GetRealStatus(Instance *it, int kind, double *value) {
  ONLY(it, STEPPING | STEP_DISCARDED);
  *value = it->x.at_s;
  return kind == 2 ? OK : DISCARDED;
}

Status fmi2GetBooleanStatus(Instance *it, int kind, int *value) {
  ONLY(it, STEPPING | STEP_DISCARDED);
  *value = it->wants_end;
  return kind == 3 ? OK : DISCARDED;
}

Status fmi2GetFMUstate(Instance *it, void **state) {
  ONLY(it, NOT_LOST);
  if (*state == NULL) *state = it->callbacks->allocateMemory(1, sizeof it->x);
  memcpy(*state, &it->x, sizeof it->x);
  return OK;
}

/* The trouble is not part of the state: it came, and is over. It is saved where steps are made, so it goes on there. */
Status fmi2SetFMUstate(Instance *it, void *state) {
  ONLY(it, NOT_LOST);
  memcpy(&it->x, state, sizeof it->x);
  it->x.trouble = NONE;
  return went(it, STEPPING, OK);
}

Status fmi2FreeFMUstate(Instance *it, void **state) {
  ONLY(it, NOT_LOST);
  it->callbacks->freeMemory(*state);
  *state = NULL;
  return OK;
}
