import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import Fastify from 'fastify'
import t from 'tap'
import {
  advancedProblems,
  PLANT_HEARS,
  PLANT_MESSAGE_BYTES_MAX,
  PLANT_SAYS,
  type PlantAdvanced,
  type PlantGrant,
  type PlantHello,
  readFromPlant,
  readToPlant,
} from '../../../hil-testbed/bench/plant-protocol.ts'
import { ROOT } from '../../../scripts/sources.ts'

type Vector = Readonly<{
  name: string
  way: 'from' | 'to'
  refusal?: string
  message: Readonly<Record<string, unknown>>
}>
type Text = Readonly<{ name: string; text: string; refusal: string }>
const VECTORS = JSON.parse(readFileSync(join(ROOT, 'test', 'vectors', 'plant-1.json'), 'utf8')) as Readonly<{
  valid: readonly Vector[]
  invalid: readonly Vector[]
  texts: readonly Text[]
}>
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = ({ way, message }: Vector) =>
  (way === 'from' ? readFromPlant : readToPlant)(bytes(JSON.stringify(message)))

t.test('what is a message is read as it is, and what is none is refused by name', async (t) => {
  for (const vector of VECTORS.valid) t.same(read(vector), { ok: true, message: vector.message }, vector.name)
  for (const vector of VECTORS.invalid) t.match(read(vector), { ok: false, refusal: vector.refusal! }, vector.name)
  for (const { name, text, refusal } of VECTORS.texts) t.match(readFromPlant(bytes(text)), { ok: false, refusal }, name)
  t.match(readFromPlant(new Uint8Array([0x22, 0xff, 0x22])), { refusal: 'not_json' }, 'not UTF-8')
  t.match(readFromPlant(new Uint8Array(PLANT_MESSAGE_BYTES_MAX + 1)), { refusal: 'too_large' })
  const types = new Set(VECTORS.valid.map(({ message }) => message['type']))
  t.same([...types].sort(), Object.keys({ ...PLANT_SAYS, ...PLANT_HEARS }).sort(), 'every type has a vector')
})

t.test('the published schemas, read by another validator, say the same', async (t) => {
  const app = Fastify({ ajv: { customOptions: { removeAdditional: false, coerceTypes: false } } })
  t.teardown(() => app.close())
  for (const type of Object.keys({ ...PLANT_SAYS, ...PLANT_HEARS })) {
    const text = readFileSync(join(ROOT, 'docs', 'reference', 'plant', `${type}.json`), 'utf8')
    const { $schema, ...body } = JSON.parse(text) as Record<string, unknown>
    t.equal($schema, 'https://json-schema.org/draft/2020-12/schema')
    app.post(`/${type}`, { schema: { body } }, async () => '')
  }
  const status = async ({ message }: Vector): Promise<number> =>
    (await app.inject({ method: 'POST', url: `/${String(message['type'])}`, payload: message })).statusCode
  for (const vector of VECTORS.valid) t.equal(await status(vector), 200, vector.name)
  const ofType = VECTORS.invalid.filter(({ refusal }) => refusal !== 'unknown_type')
  t.ok(ofType.length > 15)
  for (const vector of ofType) t.equal(await status(vector), 400, vector.name)
})

t.test('whatever bytes come, they are read or refused', async (t) => {
  const refusals = new Set<string>()
  const look = (text: Uint8Array): void => {
    const got = readFromPlant(text)
    if (!got.ok) refusals.add(got.refusal)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), look), { numRuns: 300, seed: 3 })
  fc.assert(
    fc.property(fc.json(), (json) => look(bytes(json))),
    { numRuns: 300, seed: 3 },
  )
  t.same([...refusals].sort(), ['not_json', 'unknown_type'])
})

t.test('all that is wrong with an answer is said at once', async (t) => {
  const [hello, answer] = [0, 2].map((k) => VECTORS.valid[k]!.message) as unknown as [PlantHello, PlantAdvanced]
  const grant = VECTORS.valid.find(({ name }) => name === 'grant')!.message as unknown as PlantGrant
  t.equal(advancedProblems(hello, grant, answer), '')
  t.equal(
    advancedProblems(hello, grant, { ...answer, n: 2, at_us: 9, signals: { temp_c: 1, level: 2 } }),
    'n is 2, expected 3; at_us is 9, expected 3000; signal p_bar is missing; signal level is not in its hello',
  )
})
