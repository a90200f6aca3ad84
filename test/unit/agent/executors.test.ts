import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createExecutor, type ExecutorContext } from '../../../agent/adapters/executors.ts'
import { checkYaml } from '../../../shared/config/document.ts'
import { executorProblems } from '../../../shared/config/executor-problems.ts'
import { type ExecutorConfig, ExecutorSchema } from '../../../shared/config/executor-schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'

const read = (text: string) => checkYaml('executor.yaml', new TextEncoder().encode(text), ExecutorSchema as Schema)

function sound(text: string): ExecutorConfig {
  const { value, problems } = read(text)
  t.same(problems, [], text)
  return value as ExecutorConfig
}

const ACTUATOR = 'type: actuator\nendpoint: tcp://10.0.0.7:5601\nidentity: valve-1\nkey_file: link.key\n'
const WEBHOOK = 'type: webhook\nurl: https://plc.example/act\nsecret_file: hook.secret\n'
const COMMAND = 'type: command\nargv: [/opt/bench/act, --now]\ndirectory: .\n'
const NOTIFY = `type: notify
channels:
  - type: log
  - { type: webhook, url: 'https://chat.example/x?y=1', secret_file: hook.secret }
  - { type: email, host: mail.example, from: hb@example.com, to: [ada@example.com], user: hb, password_file: hook.secret }
  - { type: syslog, host: logs.example }
`

t.test('an executor says what it must, and the rest has defaults', async (t) => {
  t.match(sound(ACTUATOR), { ping_ms: 500 })
  t.match(sound(WEBHOOK), { timeout_ms: 5000 })
  t.match(sound(COMMAND), { timeout_ms: 10_000 })
  t.match(sound(NOTIFY), {
    per_minute_max: 10,
    timeout_ms: 10_000,
    channels: [{}, {}, { port: 587, security: 'starttls' }, { port: 514, transport: 'udp', facility: 16 }],
  })
})

t.test('mistakes of one executor, each at its key', async (t) => {
  const table: readonly [string, string][] = [
    [ACTUATOR.replace('valve-1', 'Valve 1'), 'identity'],
    [ACTUATOR.replace('tcp://10.0.0.7:5601', 'http://10.0.0.7'), 'endpoint'],
    [ACTUATOR.replace('key_file', 'key'), 'key'],
    [WEBHOOK.replace('https://plc.example', 'http://plc.example'), 'url'],
    [WEBHOOK.replace('https://plc', 'https://me:secret@plc'), 'url'],
    [`${WEBHOOK}timeout_ms: 0\n`, 'timeout_ms'],
    [COMMAND.replace('[/opt/bench/act, --now]', '[]'), 'argv'],
    [COMMAND.replace('[/opt/bench/act, --now]', 'act --now'), 'argv'],
    [NOTIFY.replace('ada@example.com', '"Ada <ada@example.com>"'), 'channels[2].to[0]'],
    [`${NOTIFY}per_minute_max: 0\n`, 'per_minute_max'],
    ['type: carrier_pigeon\n', 'type'],
  ]
  for (const [text, key] of table) {
    const { problems } = read(text)
    t.ok(
      problems.some((problem) => problem.key === key),
      `${key}: ${JSON.stringify(problems.map((problem) => problem.key))}`,
    )
  }
})

t.test('mistakes that only two keys together make', async (t) => {
  const table: readonly [string, readonly unknown[]][] = [
    [ACTUATOR, []],
    [NOTIFY, []],
    [ACTUATOR.replace('10.0.0.7', '*'), ['endpoint']],
    [COMMAND.replace('/opt/bench/act', 'act'), ['argv', 0]],
    [`${COMMAND}proof_argv: [./try]\n`, ['proof_argv', 0]],
    [NOTIFY.replace('user: hb, ', ''), ['channels', 2, 'user']],
    [NOTIFY.replace(', password_file: hook.secret', ''), ['channels', 2, 'password_file']],
    [NOTIFY.replace('host: mail.example', 'host: mail.example, security: none'), ['channels', 2, 'security']],
    [NOTIFY.replace('host: mail.example', 'host: 127.0.0.1, security: none'), []],
  ]
  for (const [text, path] of table)
    t.same(
      executorProblems(sound(text)).map((problem) => problem.path),
      path.length === 0 ? [] : [path],
      text,
    )
})

t.test('each kind is made from its configuration, with secrets that only their owner may read', async (t) => {
  const folder = t.testdir()
  const secret = join(folder, 'hook.secret')
  const key = join(folder, 'link.key')
  writeFileSync(secret, 'long enough to sign with\n', { mode: 0o600 })
  writeFileSync(key, `${'ab'.repeat(32)}\n`, { mode: 0o600 })
  const context: ExecutorContext = {
    target: 'relief',
    agent: 'agent',
    file: join(folder, 'actions_policy.yaml'),
    testbed: true,
    nonIdempotent: false,
    lossEffect: null,
    clock: createVirtualClock(0),
    outside: null,
    random: () => 0,
    log: () => undefined,
  }
  for (const text of [ACTUATOR, WEBHOOK, COMMAND, NOTIFY])
    t.equal(createExecutor(sound(text), context).target, 'relief')
  chmodSync(secret, 0o644)
  t.throws(() => createExecutor(sound(WEBHOOK), context), { code: 'KEY_FILE_OPEN' })
  chmodSync(secret, 0o600)
  writeFileSync(secret, 'short')
  t.throws(() => createExecutor(sound(WEBHOOK), context), { code: 'EXECUTOR_KEY' })
  writeFileSync(secret, 'long enough to sign with')
  writeFileSync(key, 'not hex at all')
  t.throws(() => createExecutor(sound(ACTUATOR), context), { code: 'EXECUTOR_KEY' })
  t.throws(() => createExecutor(sound(ACTUATOR.replace('link.key', 'no.key')), context), { code: 'KEY_FILE_MISSING' })
  t.throws(() => createExecutor(sound(`${WEBHOOK}ca_file: no.pem\n`), context), { code: 'KEY_FILE_MISSING' })
  t.throws(() => createExecutor(sound(COMMAND.replace('/opt/bench/act', 'act')), context), /checked/)
})
