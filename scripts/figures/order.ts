import { parseArgs } from 'node:util'
import { HbError } from '../../shared/errors/hb-error.ts'
import { numberOption } from '../../shared/lib/command-output.ts'
import { type Variant, variantsOf } from './variants.ts'

/** Fewer seeds than these are for trying things out: no document is made of them. */
export const SEEDS_LEAST = 20
const SEEDS_MAX = 1000
const MINUTES_MAX = 600
const JOBS_MAX = 64

/** What is asked for on the command line. */
export type Order = Readonly<{
  /** Classes and faults as they were asked for; none: all of them. */
  words: readonly string[]
  variants: readonly Variant[]
  seeds: number
  minutes: number
  jobs: number
  json: boolean
  write: boolean
  from: string | null
  save: string | null
}>

export const USAGE = `npm run -s hil:figures -- [options]

  --seeds N       seeds 1 … N of every fault and of the nominal runs (20)
  --minutes N     length of each nominal run (6)
  --only A,B      classes or faults, such as sensor or comms.lose (all)
  --jobs N        runs at once (2)
  --json          everything that was measured as one JSON object, instead of the document
  --save FILE     the same into a file
  --from FILE     measures nothing: makes the document of what was saved
  --write         puts the document where it belongs, docs/reference/detection-figures.md
`

const OPTIONS = {
  seeds: { type: 'string', default: String(SEEDS_LEAST) },
  minutes: { type: 'string', default: '6' },
  only: { type: 'string' },
  jobs: { type: 'string', default: '2' },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  save: { type: 'string' },
  from: { type: 'string' },
} as const

/** @throws HbError USAGE */
export function orderFrom(args: readonly string[]): Order {
  const { only, save, from, ...values } = parsed(args)
  const words = only?.split(',') ?? []
  const unknown = words.filter((word) => variantsOf([word]).length === 0)
  if (unknown.length > 0)
    throw new HbError('USAGE', { option: '--only', found: unknown.join(', '), expected: 'classes or faults' })
  const seeds = numberOption(values.seeds, '--seeds', { min: 1, max: SEEDS_MAX })
  if (values.write && from === undefined && (seeds < SEEDS_LEAST || words.length > 0))
    throw new HbError('USAGE', { option: '--write', found: 'a part', expected: `all faults and ${SEEDS_LEAST} seeds` })
  return {
    ...{ words, variants: variantsOf(words), seeds, json: values.json, write: values.write },
    minutes: numberOption(values.minutes, '--minutes', { min: 1, max: MINUTES_MAX }),
    jobs: numberOption(values.jobs, '--jobs', { min: 1, max: JOBS_MAX }),
    ...{ save: save ?? null, from: from ?? null },
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values
  } catch (cause) {
    throw new HbError('USAGE', { found: (cause as Error).message, expected: 'what --help says' }, { cause })
  }
}
