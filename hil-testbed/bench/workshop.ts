import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { stringify } from 'yaml'
import { encodeBundle, readBundle } from '../../shared/codec/baseline-bundle.ts'
import { decodeBaseline, encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { bookGenesis, NO_REQUEST, openStatement, signStatement } from '../../shared/codec/baseline-statement.ts'
import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import { readPublicKey, signerFromPem } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import type { Statement } from '../../shared/model/baseline-statement.ts'
import type { Micros } from '../../shared/units.ts'
import { createInstrumentation } from '../core/instrumentation.ts'
import type { RigSpec } from '../core/scenario.ts'
import { AGENT, DEPLOYMENT, PROGRAM, QUALITY } from './agent-folder.ts'
import { type Hb, runHb } from './agent-process.ts'
import type { HostTime } from './host-time.ts'
import { benchKey, benchSecret } from './keys.ts'
import { framesUntil, startPlant } from './rig-plant.ts'

const DAY_US: Micros = 86_400_000_000
/** Time of the nominal run that is asked of plant and sensors at once. */
const PART_US: Micros = 1_000_000

type WorkshopOptions = Readonly<{ hb: Hb; host: HostTime; beginUs: Micros; signal: AbortSignal }>

/**
 * Baselines of a campaign: each is made once, from a nominal run of the rig's own plant, through the agent's own gate, and
 * signed by three people of the bench. Everything in it counts from `beginUs`, so that the same rig has the same bytes.
 */
export class Workshop {
  private readonly folder: string
  private readonly hb: Hb
  private readonly host: HostTime
  private readonly signal: AbortSignal
  /** When the runs begin that it is made for. */
  readonly beginUs: Micros
  private readonly made = new Map<string, Promise<Uint8Array>>()

  constructor(folder: string, { hb, host, beginUs, signal }: WorkshopOptions) {
    this.folder = folder
    this.signal = signal
    this.hb = hb
    this.host = host
    this.beginUs = beginUs
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** The certified baseline of a rig, at rest and as its file says it. */
  async baseline(rig: RigSpec): Promise<Uint8Array> {
    if (rig.baseline.file !== null) return certifiedAgain(rig, rig.baseline.file)
    const about = JSON.stringify([
      rig.name,
      rig.nominal,
      rig.baseline,
      rig.rigKeys,
      readFileSync(rig.registryFile, 'utf8'),
    ])
    const key = createHash('sha256').update(about).digest('hex').slice(0, 16)
    const known = this.made.get(key)
    if (known !== undefined) return known
    const making = this.make(rig, key)
    this.made.set(key, making)
    return making
  }

  private async make(rig: RigSpec, key: string): Promise<Uint8Array> {
    const cwd = join(this.folder, `${rig.name}-${key}`)
    mkdirSync(cwd, { mode: 0o700 })
    const put = (name: string, text: string): void => writeFileSync(join(cwd, name), text, { mode: 0o600 })
    put('sign.pem', benchKey('agent', rig.name).privatePem)
    put('quality.yaml', QUALITY)
    put(basename(rig.registryFile), readFileSync(rig.registryFile, 'utf8'))
    await record(join(cwd, 'nominal.csv'), rig, this.beginUs - DAY_US, { folder: cwd, hb: this.hb, host: this.host })
    const { mode, slide_ms, windows_ms, detector_step_ms, context, program } = rig.rigKeys
    const keys = Object.entries({ mode, slide_ms, windows_ms, detector_step_ms, context, program })
    const source = { name: 'recording', type: 'csv', file: 'nominal.csv', time_column: 't_us', speed: 'max' }
    put(
      'nominal.yaml',
      stringify({
        version: 1,
        ...{ deployment: DEPLOYMENT, realm: 'testbed', agent: AGENT, clock: 'recording', signing_key_file: 'sign.pem' },
        rigs: [
          {
            testbed: true,
            ...{ rig: rig.name, program: PROGRAM, registry_file: basename(rig.registryFile) },
            ...Object.fromEntries(keys.filter(([, value]) => value !== undefined)),
            sources: [source],
          },
        ],
      }),
    )
    const args = ['--config', 'nominal.yaml', '--csv', 'nominal.csv', '--policy', 'quality.yaml', '--kind', 'golden']
    await runHb(['baseline', 'create', ...args, '--out', 'record.hbb', '--json'], {
      cwd,
      hb: this.hb,
      signal: this.signal,
    })
    const recorded = decodeBaseline(readFileSync(join(cwd, 'record.hbb')))
    const bytes = certify({ ...recorded, madeUs: recorded.toUs + 1_000_000 }, rig.operators)
    writeFileSync(join(cwd, 'baseline.hbb'), bytes)
    return bytes
  }
}

/** The record of a file, under the policy of its gate and the name of the rig here, certified by the people of the bench. */
function certifiedAgain(rig: RigSpec, file: string): Uint8Array {
  const { record: bytes, policy } = readBundle(new Uint8Array(readFileSync(file)))
  const record = decodeBaseline(bytes)
  const named = record.rig === '' ? record : { ...record, rig: rig.name }
  return certify(named, rig.operators, { policy })
}

/** Where a plant of its own runs, and on whose time. */
type Bench = Readonly<{ folder: string; hb: Hb; host: HostTime }>

/** A nominal run of the rig as a recording; a channel that has no sample at a time leaves its cell empty. */
async function record(path: string, rig: RigSpec, fromUs: Micros, at: Bench): Promise<void> {
  const { name, nominal, baseline } = rig
  const { plant: spec, sensors } = nominal
  const needs = { stepUs: spec.stepUs, signals: [...new Set(sensors.map(({ of }) => of))], inputs: [] }
  const { plant, stop, broken } = await startPlant(spec, { ...at, cwd: rig.folder, needs })
  if (plant === null) throw new HbError('PLANT_NOT_STARTED', { reason: broken?.detail ?? '' })
  const instruments = createInstrumentation({ rig: name, seed: baseline.seed, sensors, beginUs: fromUs })
  const channels = sensors.map(({ channel }) => channel)
  const out = createWriteStream(path, { flags: 'wx' })
  out.write(`t_us;${channels.join(';')}\n`)
  for (let atUs = 0; atUs < baseline.seconds * 1_000_000; atUs += PART_US) {
    const rows = new Map<Micros, string[]>()
    const frames = await framesUntil(atUs + PART_US, { instruments, plant, external: spec.command !== null })
    for (const { channels: of, timeUs, value } of frames)
      of.forEach((channel, c) => {
        const column = channels.indexOf(channel)
        timeUs.forEach((us, k) => {
          const row = rows.get(us) ?? channels.map(() => '')
          row[column] = String(value[c * timeUs.length + k])
          rows.set(us, row)
        })
      })
    const text = [...rows].sort(([a], [b]) => a - b).map(([us, row]) => `${us};${row.join(';')}\n`)
    if (!out.write(text.join(''))) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  await stop()
}

/**
 * Proposed, reviewed and approved by three people, a second apart.
 *
 * @param signer whose keys sign in their names; their own unless somebody forges them
 * @param policy of its gate; that of the bench unless it was another
 */
export function certify(
  record: BaselineRecord,
  people: readonly string[],
  { signer, policy = new TextEncoder().encode(QUALITY) }: Readonly<{ signer?: string; policy?: Uint8Array }> = {},
): Uint8Array {
  const bytes = encodeBaseline(record)
  const digest = toHex(digestOf(DOMAIN.baseline, bytes))
  const book = toHex(benchSecret('book', record.rig).subarray(0, 16))
  const { program, rig, family, mode, kind } = record
  const statements: Uint8Array[] = []
  let prev = bookGenesis(book)
  let request = NO_REQUEST
  const acts: readonly Statement['kind'][] = ['propose', 'review', 'approve']
  acts.forEach((act, k) => {
    const person = people[k % people.length]!
    const key = benchKey('person', signer ?? person)
    const signed = signStatement(
      {
        ...{ kind: act, book, seq: k + 1, prev, digest, as: kind, request, program, rig, family, mode, tag: '' },
        ...{ operator: person, reason: 'a nominal run of the bench', atUs: record.madeUs + (k + 1) * 1_000_000 },
        ...{ untilUs: 0, factor: 1 },
      },
      signerFromPem(key.privatePem),
    )
    const { id } = openStatement(signed, readPublicKey(key.publicPem))
    if (act === 'propose') request = id
    prev = id
    statements.push(signed)
  })
  return encodeBundle({ record: bytes, policy, statements })
}
