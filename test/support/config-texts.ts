import { parseRuntimeFiles } from '../../shared/config/load.ts'
import { ConfigError, type Problem } from '../../shared/config/problems.ts'

/** A whole runtime.yaml with one rig, its registry, and a collector.yaml: without a mistake, to be broken by tests. */
export const RUNTIME = `version: 1
deployment: demo
agent: bench-1
signing_key_file: sign.pem
rigs:
  - rig: water-loop
    program: demo
    registry_file: loop.registry.yaml
    sources:
      - name: daq
        type: zmq
        endpoint: tcp://127.0.0.1:5555
`

export const REGISTRY = `version: "1.0"
metrics:
  flow:
    aliases: [Volume Flow RateRMS]
    unit: l/min
    unit_map: { l/s: 60 }
    nominal_rate_hz: 100
    fail_min: 10
    fail_max: 200
  pressure:
    unit: bar
    nominal_rate_hz: 100
    drift_percent: 5
`

export const COLLECTOR = `version: 1
deployment: demo
signing_key_file: sign.pem
data_dir: data
agents_listen: { port: 7443 }
tls: { ca_file: sign.pem, cert_file: sign.pem, key_file: sign.pem }
agents:
  - { agent: bench-1, public_key_file: sign.pem, programs: [demo] }
`

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Files of an agent in the order of the journal. */
export function filesOf(runtime = RUNTIME, registry = REGISTRY) {
  return [
    { name: 'runtime.yaml', bytes: bytesOf(runtime) },
    { name: 'loop.registry.yaml', bytes: bytesOf(registry) },
  ]
}

/** Mistakes that something throws; empty when it throws none. */
export function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

export const inRuntime = (runtime: string): readonly Problem[] => problemsOf(() => parseRuntimeFiles(filesOf(runtime)))
export const inRegistry = (registry: string): readonly Problem[] =>
  problemsOf(() => parseRuntimeFiles(filesOf(RUNTIME, registry)))
