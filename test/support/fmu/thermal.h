/*
 * The plant `thermal` (hil-testbed/core/plants/thermal.ts) once more: the same operations in the same order, so that
 * both go to the same last bit. Compile without contraction (-ffp-contract=off): a fused multiply-add rounds once less.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN "{hb-thermal}"

/* Value references, in both versions of the description. */
enum {
  HEATER_ON, COOLING, HEATER_W, EXTRA_HEAT_W, AMBIENT_C, TEMP_C, HEAT_W, AMBIENT_OUT_C, STEPS, LOSS_W_K,
  CAPACITY_J_K, TROUBLE, TROUBLE_AT_S, TEMP_SINGLE
};

/* What it does wrong in the step that reaches TROUBLE_AT_S; SLOW is right, and answers later. */
enum { NONE, DISCARD, FAIL, BREAK, NOT_A_NUMBER, SLOW, WANTS_END, REFUSES_INPUT };

/* Where an instance is among the calls that the standard allows (2.0.4, 4.2.4; 3.0, 2.3 and 4.2). */
enum { INSTANTIATED = 1, INITIALIZING = 2, STEPPING = 4, STEP_DISCARDED = 8, FAILED = 16, LOST = 32, TERMINATED = 64 };
#define NOT_LOST (~LOST)
#define SETTABLE (INSTANTIATED | INITIALIZING | STEPPING)
#define GETTABLE (INITIALIZING | STEPPING | STEP_DISCARDED | FAILED | TERMINATED)

typedef struct {
  bool heater_on;
  double cooling, heater_w, extra_heat_w, ambient_c;
  double temp_c, capacity_j_k, trouble_at_s, at_s;
  int32_t steps, trouble;
} Thermal;

/* One more line of the file that a test reads to see what was called. */
static void note(const char *what, const Thermal *x) {
  const char *path = getenv("HB_THERMAL_NOTE");
  FILE *file = path == NULL ? NULL : fopen(path, "a");
  if (file == NULL) return;
  if (x == NULL) fprintf(file, "%s\n", what);
  else fprintf(file, "%s after %d steps, heater %s\n", what, x->steps, x->heater_on ? "on" : "off");
  fclose(file);
}

/* Whether a call is allowed where the instance is; one that is not is noted, and a test looks for it. */
static bool is_allowed(int phase, int phases, const char *call) {
  char text[80];
  if ((phase & phases) != 0) return true;
  snprintf(text, sizeof text, "not allowed: %s", call);
  return note(text, NULL), false;
}
#define ONLY(it, phases) \
  if (!is_allowed((it)->phase, phases, __func__)) return ERROR

__attribute__((constructor)) static void loaded(void) { note("loaded", NULL); }

static Thermal at_rest(void) {
  return (Thermal){.heater_on = true, .heater_w = 40, .ambient_c = 20, .temp_c = 60, .capacity_j_k = 60};
}

static double heat_w(const Thermal *x) { return (x->heater_on ? 1 : 0) * x->heater_w + x->extra_heat_w; }

static double loss_w_k(const Thermal *x) { return 1.0 / 1.0 + x->cooling * 4.0; }

static void move(Thermal *x, double step_s) {
  double share = step_s / x->capacity_j_k;
  double loss = loss_w_k(x);
  double heat = heat_w(x) + loss * x->ambient_c;
  x->temp_c = (x->temp_c + share * heat) / (1 + share * loss);
  x->steps += 1;
}

/* The trouble of the step to `to_s`. */
static int trouble_in(const Thermal *x, double to_s) {
  return x->trouble_at_s > x->at_s && x->trouble_at_s <= to_s ? x->trouble : NONE;
}

/* A double by its reference, or NULL. Those that are calculated are not in it. */
static double *stored(Thermal *x, unsigned int reference) {
  switch (reference) {
    case COOLING: return &x->cooling;
    case HEATER_W: return &x->heater_w;
    case EXTRA_HEAT_W: return &x->extra_heat_w;
    case AMBIENT_C: return &x->ambient_c;
    case TEMP_C: return &x->temp_c;
    case CAPACITY_J_K: return &x->capacity_j_k;
    case TROUBLE_AT_S: return &x->trouble_at_s;
    default: return NULL;
  }
}

static bool get_double(Thermal *x, unsigned int reference, double *value) {
  double *at = stored(x, reference);
  if (reference == HEAT_W) *value = heat_w(x);
  else if (reference == AMBIENT_OUT_C) *value = x->ambient_c;
  else if (reference == LOSS_W_K) *value = loss_w_k(x);
  else if (at != NULL) *value = *at;
  else return false;
  return true;
}
