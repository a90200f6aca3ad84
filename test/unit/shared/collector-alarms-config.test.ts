import t from 'tap'
import { collectorAlarmProblems } from '../../../shared/config/collector-alarm-problems.ts'
import { ALARM_ROUTES_MAX, ALARM_TARGETS_MAX, ROUTE_STEPS_MAX } from '../../../shared/config/collector-alarm-schema.ts'
import { checkYaml } from '../../../shared/config/document.ts'
import { CollectorSchema } from '../../../shared/config/schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'

const HEAD = `version: 1
deployment: bench
signing_key_file: sign.pem
data_dir: data
tls: { ca_file: ca.pem, cert_file: c.pem, key_file: c.key }
agents:
  - { agent: a, public_key_file: a.pem, programs: [p], site: north }
`
const ALL = '{ steps: [{ to: [ops] }] }'
const TARGETS = 'targets: [{ target: ops, channels: [{ type: log }] }]'

/** Problems of `alarms`, as `KEY: FOUND`. */
function problemsOf(alarms: string): string[] {
  const text = new TextEncoder().encode(`${HEAD}alarms: { ${alarms} }\n`)
  const file = checkYaml('collector.yaml', text, CollectorSchema as unknown as Schema)
  return [...file.problems, ...collectorAlarmProblems(file)].map(({ key, found }) => `${key}: ${found}`)
}

t.test('what is said of alarms is whole, or refused with every mistake', async (t) => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['', []],
    [`${TARGETS}, routes: [${ALL}]`, []],
    [`${TARGETS}, routes: [{ sites: [north], steps: [{ to: [ops] }] }, ${ALL}]`, []],
    ['silent_ms: 10', ['alarms.silent_ms: 10']],
    ['backlog_age_ms: 60000, backlog_critical_age_ms: 5000', ['alarms.backlog_critical_age_ms: 5000']],
    ['clock_warn_ms: 500, clock_critical_ms: 100', ['alarms.clock_critical_ms: 100']],
    ['certificate_warn_days: 3, certificate_critical_days: 7', ['alarms.certificate_warn_days: 3']],
    [`${TARGETS}, routes: [{ steps: [{ to: [oops] }] }]`, ['alarms.routes[0].steps[0].to[0]: `oops`']],
    [`${TARGETS}, routes: [{ sites: [nort], steps: [{ to: [ops] }] }, ${ALL}]`, ['alarms.routes[0].sites[0]: `nort`']],
    [
      `${TARGETS}, routes: [{ sites: [north], steps: [{ to: [ops] }] }]`,
      ['alarms.routes: no route for every CRITICAL alarm'],
    ],
    [
      `${TARGETS}, routes: [{ severities: [WARNING], steps: [{ to: [ops] }] }]`,
      ['alarms.routes: no route for every CRITICAL alarm'],
    ],
    [
      `${TARGETS}, routes: [{ steps: [{ to: [ops], after_ms: 9 }, { to: [ops], after_ms: 9 }] }]`,
      ['alarms.routes[0].steps[1].after_ms: 9'],
    ],
    [
      'targets: [{ target: ops, channels: [{ type: log }] }, { target: ops, channels: [{ type: log }] }]',
      ['alarms.targets[1].target: `ops` a second time'],
    ],
    [
      'targets: [{ target: m, channels: [{ type: email, host: mail.example, security: none, from: a@b.c, to: [d@e.f] }] }]',
      ['alarms.targets[0].channels[0].security: none, to mail.example'],
    ],
    ['heartbeat: { every_ms: 5000 }', ['alarms.heartbeat: no address']],
    ['heartbeat: { url: "https://a.example/x", url_file: f }', ['alarms.heartbeat: `url` and `url_file`']],
    ['heartbeat: { url: "http://a.example/x" }', ['alarms.heartbeat.url: "http://a.example/x"']],
  ]
  for (const [text, problems] of table) t.same(problemsOf(text), problems, text)
})

t.test('no more targets, routes and steps than there may be', async (t) => {
  const many = (n: number, one: (k: number) => string): string => Array.from({ length: n }, (_, k) => one(k)).join(', ')
  const targets = (n: number) =>
    `targets: [${many(n, (k) => `{ target: ${k === 0 ? 'ops' : `t-${k}`}, channels: [{ type: log }] }`)}]`
  const routes = (n: number) => `${TARGETS}, routes: [${many(n, () => ALL)}]`
  const steps = (n: number) => `${TARGETS}, routes: [{ steps: [${many(n, (k) => `{ after_ms: ${k}, to: [ops] }`)}] }]`
  for (const [text, max] of [
    [targets, ALARM_TARGETS_MAX],
    [routes, ALARM_ROUTES_MAX],
    [steps, ROUTE_STEPS_MAX],
  ] as const) {
    t.same(problemsOf(text(max)), [])
    t.equal(problemsOf(text(max + 1)).length, 1, `${max + 1}`)
  }
})

t.test('all mistakes are told at once', async (t) => {
  const many = problemsOf(
    `clock_warn_ms: 500, clock_critical_ms: 100, routes: [{ steps: [{ to: [x] }] }], heartbeat: {}`,
  )
  t.equal(many.length, 3)
})
