import type { ErrorEntry } from './entry.ts'

/** Errors of running programs: sources, ports, commands, replay. */
export const RUNTIME_ERRORS = {
  USAGE: {
    exit: 64,
    retry: false,
    summary: 'The command was not understood.',
    remedy: 'Run the same command with `--help`.',
  },
  EVALUATION_BEHIND: {
    exit: 75,
    retry: true,
    summary: 'Rigs are evaluated more slowly than their telemetry comes; sources are held back.',
    remedy:
      'Raise `evaluation.threads` up to the number of rigs and cores, send larger frames, or move rigs to another agent.',
  },
  PORT_TAKEN: {
    exit: 69,
    retry: false,
    summary: 'Another program already listens on a port.',
    remedy: 'Stop the other program or choose another port in the configuration.',
  },
  CSV_HEADER: {
    exit: 65,
    retry: false,
    summary: 'The first line of a recording does not name its columns as the configuration does.',
    remedy: 'Correct `time_column`, `delimiter` or `ignore_columns` of the source, or the first line of the file.',
  },
  JOURNAL_INPUT_UNKNOWN: {
    exit: 65,
    retry: false,
    summary: 'The journal holds an input of a kind or version that this program does not know.',
    remedy:
      'Use the version of hb that wrote the journal, or a newer one. Evaluating past it would be another evaluation.',
  },
  JOURNAL_INPUT_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'An input in the journal does not have the shape of its kind.',
    remedy: 'Keep the state folder; run `hb journal verify` and compare the versions of the programs that used it.',
  },
  STATE_NOT_RECOVERABLE: {
    exit: 65,
    retry: false,
    summary: 'The journal cannot be run again from this state folder: records that are needed cannot be read.',
    remedy:
      'Keep the folder as it is and run `hb journal verify --state DIR` to see which; an agent started on it declares them lost and goes on.',
  },
  REPLAY_DIFFERS: {
    exit: 65,
    retry: false,
    summary: 'Re-running the journal did not give the decisions that were signed.',
    remedy:
      'Keep the state folder. Where records cannot be read, `hb journal verify` names them; else compare the code and configuration digests in the batch header with those of this program.',
  },
  CLOCK_OFF: {
    exit: 75,
    retry: true,
    summary: 'The clock of this machine is years off.',
    remedy: 'Set the clock (NTP, PTP or `timedatectl`), then start again: event times could not be told from rubbish.',
  },
  CLOCK_STEPPED: {
    exit: 75,
    retry: true,
    summary:
      'The wall clock of this machine jumped or stands still, and is not followed: time that was evaluated does not come again.',
    remedy:
      'If the clock is wrong, set it (NTP, PTP or `timedatectl`): the agent goes along again by itself. If it is right and ahead, start the agent again. If it is right and behind, wait until it has caught up, or begin a new state folder.',
  },
  NOTHING_HEARD: {
    exit: 69,
    retry: true,
    summary: 'Nothing came from which a configuration could be proposed.',
    remedy:
      'Check address, pattern, direction (`--bind` or `--connect`) and encoding; what came and was refused is counted with its reason.',
  },
  AGENT_NOT_RUNNING: {
    exit: 69,
    retry: true,
    summary: 'No agent runs with this state folder.',
    remedy: 'Start it with `hb runtime --config FILE --state DIR`, or name the state folder of the one that runs.',
  },
  RIG_UNKNOWN: {
    exit: 64,
    retry: false,
    summary: 'The agent has no rig of this name.',
    remedy: 'Use one of the rigs listed; `hb doctor --state DIR` shows them.',
  },
  CHANNEL_UNKNOWN: {
    exit: 66,
    retry: false,
    summary: 'No rig has this channel, or more than one has.',
    remedy:
      'Name the channel as it arrives, or its metric, letter for letter; with `--rig` when several rigs have it. `hb registry explain` shows what a channel feeds.',
  },
  CALIBRATION_OVERDUE: {
    exit: 69,
    retry: false,
    summary: 'The calibration of a sensor is past the date until which it holds. Verdicts are not changed by it.',
    remedy:
      'Calibrate the sensor and set `calibration` of its metric in the registry, or tell the agent of another one with `hb channel replace`.',
  },
  REPORT_UNWRITABLE: {
    exit: 77,
    retry: false,
    summary: 'A report cannot be written.',
    remedy: 'Name a place that this user may write to, on a disk with room.',
  },
  RUN_INVALID: {
    exit: 65,
    retry: false,
    summary: 'A run folder does not keep the run contract.',
    remedy:
      'Correct what each mistake names, in the file and line it names, then run the command again. Nothing was judged.',
  },
  RUN_MISSING: {
    exit: 66,
    retry: false,
    summary: 'A run folder, or a file in it, cannot be read.',
    remedy: 'Check the path: a folder with `run_meta.json` and `metrics.csv`, each file at most 64 MiB.',
  },
  RUN_REFUSED: {
    exit: 64,
    retry: false,
    summary: 'A test run cannot be started, noted or stopped now.',
    remedy: 'Stop the open run first, or start one before noting; `hb runs list` shows what is open.',
  },
  CSV_TIMES: {
    exit: 65,
    retry: false,
    summary: 'A row of a recording has no time, or one that is not later than that of the row before.',
    remedy:
      'Name the column with `--time-column`, write times as YYYY-MM-DD HH:MM:SS or whole microseconds, and sort the rows.',
  },
  CSV_CELLS: {
    exit: 65,
    retry: false,
    summary: 'Too many cells of a recording are no numbers, or too many of its rows have other cells than its header.',
    remedy:
      'Export it anew: numbers as in 12.5, nothing where nothing was measured, and in every row as many cells as in the header. `--decimal comma` declares numbers as in 12,5; `--ignore-column` leaves out a column without a meaning here.',
  },
  BASELINE_TWICE: {
    exit: 65,
    retry: false,
    summary: 'The same stretch of time is given twice, and would count twice.',
    remedy:
      'Give every recording and run once; two of one rig that overlap in time are two tellings of one run: keep one.',
  },
  BASELINE_GATE: {
    exit: 65,
    retry: false,
    summary: 'The data is not good enough for a baseline that may certify anything.',
    remedy:
      'Record longer, or again while nothing changes; each reason says what was found and what was expected. `--draft` writes it as a draft, which never arms anything.',
  },
  BASELINE_TOO_SHORT: {
    exit: 65,
    retry: false,
    summary: 'The recording is too short or too empty to make a baseline.',
    remedy:
      'Record at least ten times the shortest window while nothing is wrong, at the nominal rate of the registry.',
  },
} as const satisfies Record<string, ErrorEntry>
