import t from 'tap'
import { Check, Errors } from 'typebox/schema'
import { buildApp, type OperatorsOptions } from '../../collector/http/operators.ts'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { createFileMaker, failure } from '../support/stick-files.ts'

type Fields = Record<string, unknown>
type Operation = {
  responses: Record<string, { content?: Record<string, { schema: object }> }>
  parameters: { name: string; in: string }[]
}
type Document = {
  openapi: string
  paths: Record<string, Readonly<Record<'get' | 'post', Operation>>>
  components: { schemas: Fields }
}

t.test('every route of the operators is in the document, with what it takes and what it answers', async (t) => {
  const served: string[] = []
  const options = { context: {}, metrics: [], listen: { host: '127.0.0.1', port: 0 } } as unknown as OperatorsOptions
  const app = await buildApp(options)
  const inject = (url: string) => app.inject({ url, headers: { host: 'localhost' } })
  const document = (await inject('/openapi.json')).json() as Document
  t.match(document, { openapi: '3.1.0' })
  // Fastify draws its tree of routes; a leaf that takes GET or POST is a route, whatever we believe to have registered.
  const above: string[] = []
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const found = /^([│ ]*)[├└]── ([^ ]*)(?: \((.*)\))?$/.exec(line)
    if (found === null) continue
    const depth = found[1]!.length / 4
    above.length = depth
    above.push(found[2]!)
    if (/GET|POST/.test(found[3] ?? '')) served.push(above.join(''))
  }
  const shown = served.filter((url) => !url.includes('*')).map((url) => url.replace(/:([a-z]+)/g, '{$1}'))
  t.same(Object.keys(document.paths).sort(), [...new Set(shown)].filter((url) => url !== '/').sort())
  t.ok(shown.length >= 9, shown.join(' '))
  for (const [path, { get, post }] of Object.entries(document.paths)) {
    const inPath = (get ?? post).parameters.filter((p) => p.in === 'path').map((p) => `{${p.name}}`)
    t.same(path.match(/\{[a-z]+\}/g) ?? [], inPath, path)
  }
  await app.close()
  t.comment(`counted: documented routes | ${Object.keys(document.paths).length} | all that are served`)
})

t.test('what the routes of a collector answer is what the document says', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  await runHb(['hil', 'water-loop', '--csv', 'loop.csv', '--seconds', '20', '--fault-after', '10'], folder.path)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: recordedLoop(), ports: folder.ports }))
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  const args = ['runtime', '--config', 'runtime.yaml', '--state', 'state', '--stay']
  const agent = startHb('agent', args, { folder: folder.path })
  await agent.event('source_ended')
  const get = async (path: string): Promise<{ status: number; body: Fields }> => {
    const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}${path}`)
    return { status: answer.status, body: (await answer.json()) as Fields }
  }
  const fails = async (): Promise<Fields[]> => (await get('/api/decisions?verdict=FAIL')).body['decisions'] as Fields[]
  for (let k = 0; k < 100 && (await fails()).length === 0; k += 1) await new Promise((done) => setTimeout(done, 50))
  const id = String((await fails())[0]!['id'])
  const range = `bench-1:${Number(id.split(':')[1]) - 1}`
  const document = (await get('/openapi.json')).body as unknown as Document
  let validated = 0
  const holds = async (path: string, route: string, status: number): Promise<void> => {
    const { status: found, body } = await get(path)
    t.equal(found, status, path)
    const { responses } = document.paths[route]!.get
    const schema =
      status < 300 ? responses[status]!.content!['application/json']!.schema : document.components.schemas['Refused']
    if (!Check(schema as object, body))
      t.fail(`${path}: ${JSON.stringify(Errors(schema as object, body)).slice(0, 600)}`)
    validated += 1
  }
  await holds('/api/fleet', '/api/fleet', 200)
  await holds('/api/agents', '/api/agents', 200)
  await holds('/api/decisions?limit=500', '/api/decisions', 200)
  await holds(`/api/decisions/${id}`, '/api/decisions/{id}', 200)
  await holds(`/api/decisions/${range}`, '/api/decisions/{id}', 200)
  await holds('/api/batches/bench-1/1/1', '/api/batches/{agent}/{epoch}/{seq}', 200)
  await holds(`/api/slices/${id}`, '/api/slices/{id}', 202)
  for (let k = 0; k < 100 && (await get(`/api/slices/${id}`)).status !== 200; k += 1)
    await new Promise((done) => setTimeout(done, 50))
  await holds(`/api/slices/${id}`, '/api/slices/{id}', 200)
  await holds('/openapi.json', '/openapi.json', 200)
  await holds('/api/decisions/bench-1:999999', '/api/decisions/{id}', 404)
  await holds('/api/decisions?rig=..', '/api/decisions', 400)
  await holds('/api/batches/bench-1/1/999999', '/api/batches/{agent}/{epoch}/{seq}', 404)
  const foreign = createFileMaker(folder, { agent: generateSigner().signer, collector: generateSigner().signer })
  foreign.batches('foreign.hbs', [], { agent: 'bench-9' })
  t.equal(
    (await failure(folder, 'collector', 'import', 'foreign.hbs', '--config', 'collector.yaml')).code,
    'AGENT_UNKNOWN',
  )
  t.match((await get('/api/refusals')).body, { refusals: [{ code: 'AGENT_UNKNOWN' }] })
  await holds('/api/refusals', '/api/refusals', 200)
  const agents = document.paths['/api/agents']!.get.responses['200']!.content!['application/json']!.schema
  t.notOk(Check(agents, { ...(await get('/api/agents')).body, more: 1 }), 'what is not described is found')
  t.same([await agent.stop(), await collector.stop()], [0, 0])
  t.comment(`counted: validated answers | ${validated} | against the schema of their route`)
})
