/*
 * The thermal plant as an FMU for co-simulation, FMI 3.0. The functions are declared by hand from the standard
 * (https://fmi-standard.org/docs/3.0/): types, status, values and state in 2.2, instances and initialization in 2.3, steps in
 * 4.2.
 */
#include "thermal.h"

typedef enum { OK, WARNING, DISCARDED, ERROR, FATAL } Status;
typedef void (*Logger)(void *environment, Status status, const char *category, const char *message);

typedef struct {
  Thermal x;
  int phase;
  bool is_set; /* Since the last step: nothing may be read then. */
  void *environment;
  Logger logger;
} Instance;

/* Where it is after a call that ended so. */
static Status went(Instance *it, int phase, Status status) { return it->phase = phase, status; }

static Status told(const Instance *it, Status status, const char *message) {
  it->logger(it->environment, status, "error", message);
  return status;
}

void *fmi3InstantiateCoSimulation(const char *name, const char *token, const char *resources, bool visible, bool logging,
                                  bool events, bool early, const uint32_t between[], size_t count, void *environment,
                                  Logger logger, void *update) {
  (void)name, (void)resources, (void)visible, (void)between, (void)update;
  Instance it = {.x = at_rest(), .phase = INSTANTIATED, .environment = environment, .logger = logger};
  if (strcmp(token, TOKEN) != 0) return told(&it, ERROR, "the token is not that of this library"), NULL;
  if (!logging || events || early || count != 0) return told(&it, ERROR, "not what it can do"), NULL;
  Instance *made = malloc(sizeof *made);
  *made = it;
  return made;
}

void fmi3FreeInstance(Instance *it) {
  if (!is_allowed(it->phase, NOT_LOST, __func__)) return;
  note("freed", &it->x);
  free(it);
}

Status fmi3EnterInitializationMode(Instance *it, bool has_tolerance, double tolerance, double start_s, bool has_stop,
                                   double stop_s) {
  (void)has_tolerance, (void)tolerance, (void)has_stop, (void)stop_s;
  ONLY(it, INSTANTIATED);
  it->x.at_s = start_s;
  if (it->x.capacity_j_k > 0) return went(it, INITIALIZING, OK);
  return went(it, FAILED, told(it, ERROR, "a body without capacity"));
}

Status fmi3ExitInitializationMode(Instance *it) {
  ONLY(it, INITIALIZING);
  note("initialized", &it->x);
  return went(it, STEPPING, OK);
}

Status fmi3Terminate(Instance *it) {
  ONLY(it, STEPPING | STEP_DISCARDED);
  note("terminated", &it->x);
  return went(it, TERMINATED, OK);
}

Status fmi3GetFloat64(Instance *it, const uint32_t at[], size_t count, double values[], size_t length) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count; k += 1)
    if (k >= length || !get_double(&it->x, at[k], &values[k])) return went(it, FAILED, told(it, ERROR, "no such Float64"));
  return OK;
}

Status fmi3SetFloat64(Instance *it, const uint32_t at[], size_t count, const double values[], size_t length) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count; k += 1) {
    double *to = stored(&it->x, at[k]);
    if (k >= length || to == NULL) return went(it, FAILED, told(it, ERROR, "no such Float64"));
    *to = values[k];
  }
  return OK;
}

Status fmi3GetFloat32(Instance *it, const uint32_t at[], size_t count, float values[], size_t length) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count && k < length; k += 1) values[k] = at[k] == TEMP_SINGLE ? (float)it->x.temp_c : 0;
  return OK;
}

Status fmi3SetFloat32(Instance *it, const uint32_t at[], size_t count, const float values[], size_t length) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  return (void)at, (void)count, (void)values, (void)length, told(it, ERROR, "no such Float32");
}

Status fmi3GetInt32(Instance *it, const uint32_t at[], size_t count, int32_t values[], size_t length) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count && k < length; k += 1) values[k] = at[k] == STEPS ? it->x.steps : it->x.trouble;
  return OK;
}

Status fmi3SetInt32(Instance *it, const uint32_t at[], size_t count, const int32_t values[], size_t length) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count && k < length; k += 1)
    if (at[k] == TROUBLE) it->x.trouble = values[k];
  return OK;
}

Status fmi3GetBoolean(Instance *it, const uint32_t at[], size_t count, bool values[], size_t length) {
  ONLY(it, it->is_set ? 0 : GETTABLE);
  for (size_t k = 0; k < count && k < length; k += 1) values[k] = ((void)at, it->x.heater_on);
  return OK;
}

Status fmi3SetBoolean(Instance *it, const uint32_t at[], size_t count, const bool values[], size_t length) {
  ONLY(it, SETTABLE);
  it->is_set = it->phase == STEPPING;
  for (size_t k = 0; k < count && k < length; k += 1) it->x.heater_on = ((void)at, values[k]);
  return OK;
}

Status fmi3DoStep(Instance *it, double at_s, double step_s, bool no_way_back, bool *event, bool *wants_end, bool *early,
                  double *reached_s) {
  (void)no_way_back;
  ONLY(it, STEPPING);
  int trouble = trouble_in(&it->x, at_s + step_s);
  it->is_set = *event = *early = false;
  *wants_end = trouble == WANTS_END;
  *reached_s = it->x.at_s = at_s;
  if (trouble == DISCARD) return went(it, STEP_DISCARDED, told(it, DISCARDED, "the step is too long for it"));
  if (trouble == FAIL) return went(it, FAILED, told(it, ERROR, "the body has melted"));
  if (trouble == BREAK) return went(it, LOST, told(it, FATAL, "the memory is gone"));
  if (trouble == WANTS_END) return went(it, STEP_DISCARDED, OK);
  move(&it->x, step_s);
  *reached_s = it->x.at_s = at_s + step_s;
  if (trouble == NOT_A_NUMBER) it->x.temp_c = NAN;
  return OK;
}

Status fmi3GetFMUState(Instance *it, void **state) {
  ONLY(it, NOT_LOST);
  if (*state == NULL) *state = malloc(sizeof it->x);
  memcpy(*state, &it->x, sizeof it->x);
  return OK;
}

/* The trouble is not part of the state: it came, and is over. It is saved where steps are made, so it goes on there. */
Status fmi3SetFMUState(Instance *it, void *state) {
  ONLY(it, NOT_LOST);
  memcpy(&it->x, state, sizeof it->x);
  it->x.trouble = NONE;
  return went(it, STEPPING, OK);
}

Status fmi3FreeFMUState(Instance *it, void **state) {
  ONLY(it, NOT_LOST);
  free(*state);
  *state = NULL;
  return OK;
}
