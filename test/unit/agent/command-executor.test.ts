import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createCommandExecutor } from '../../../agent/adapters/command-executor.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { actionRequest } from '../../support/actuator-process.ts'
import { noteAcks } from '../../support/noted-acks.ts'

type Change = { args?: readonly string[]; proof?: string; timeoutMs?: number }

/** An executor of a small shell script in a folder of its own. */
async function command(t: Test, script: string, { args = [], proof, timeoutMs = 10_000 }: Change = {}) {
  const folder = t.testdir()
  const program = join(folder, 'act.sh')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o700)
  const proofArgv = proof === undefined ? null : ['/bin/sh', '-c', proof]
  const argv = [program, ...args]
  const executor = createCommandExecutor({
    target: 'script',
    argv,
    proofArgv,
    directory: folder,
    timeoutMs,
    clock: systemClock(),
  })
  const noted = await noteAcks(executor)
  t.teardown(() => executor.stop())
  return { folder, executor, noted }
}

t.test('a program gets its fixed arguments, two variables and the request, and nothing of ours', async (t) => {
  const odd = '; touch taken $(touch taken) `touch taken`'
  process.env['HB_TEST_SECRET'] = 'not for a script'
  const { folder, executor, noted } = await command(t, '/usr/bin/env >env; echo "$1" >arg; cat >asked; pwd >where', {
    args: [odd],
  })
  await executor.send(actionRequest({ params: { note: odd } }))
  await noted.count('key-0001', 2)
  delete process.env['HB_TEST_SECRET']
  t.same(noted.stages('key-0001'), ['started', 'completed'])
  const lines = readFileSync(join(folder, 'env'), 'utf8').trim().split('\n')
  // A shell sets the last three itself.
  const own = lines.map((line) => line.split('=')[0]!).filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name))
  t.same(own.toSorted(), ['HB_KEY', 'PATH'])
  t.ok(lines.includes('HB_KEY=key-0001'))
  t.equal(readFileSync(join(folder, 'arg'), 'utf8').trim(), odd)
  t.match(JSON.parse(readFileSync(join(folder, 'asked'), 'utf8')), { v: 1, key: 'key-0001', params: { note: odd } })
  t.equal(readFileSync(join(folder, 'where'), 'utf8').trim(), folder)
  t.notOk(existsSync(join(folder, 'taken')), 'no shell has read it')
})

t.test('the exit code is the outcome, with as much of the output as is kept', async (t) => {
  const { executor, noted } = await command(t, 'echo "valve stuck"; yes x | head -c 300000; exit 3')
  await executor.send(actionRequest())
  await noted.count('key-0001', 2)
  t.same(noted.stages('key-0001'), ['started', 'failed'])
  t.match(noted.acks[1]!.message, /^exit code 3 valve stuck/)
  t.ok(noted.acks[1]!.message.length <= 513)
})

// verifies SE-14
t.test('a key is run once, however often and however fast it comes', async (t) => {
  const { folder, executor, noted } = await command(t, 'echo done >>count')
  await Promise.all([1, 2, 3].map((attempt) => executor.send(actionRequest({ attempt }))))
  await noted.count('key-0001', 4)
  await executor.send(actionRequest({ attempt: 4 }))
  t.equal(noted.acks.at(-1)!.status, 'completed', 'answered with the first outcome')
  t.equal(readFileSync(join(folder, 'count'), 'utf8'), 'done\n')
  t.match(await executor.query('key-0001', 1), { status: 'completed' })
  t.equal(await executor.query('key-0002', 1), 'no_answer', 'another process may have run it')
})

t.test('one that takes too long is ended with everything it started', async (t) => {
  const { folder, executor, noted } = await command(t, '(sleep 300; echo >late) & echo $! >child; sleep 300', {
    timeoutMs: 1500,
  })
  await executor.send(actionRequest())
  await noted.count('key-0001', 2)
  t.match(noted.acks[1], { status: 'failed', message: /killed after 1500 ms/ })
  const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
  const isGone = (): boolean => {
    try {
      return readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z ')
    } catch {
      return true
    }
  }
  for (let k = 0; k < 200 && !isGone(); k += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  t.ok(isGone())
})

t.test('what cannot be started is said at once and may be asked for again', async (t) => {
  const directory = t.testdir()
  const options = { target: 'script', argv: ['/does/not/exist'], proofArgv: null, directory, timeoutMs: 100 }
  const executor = createCommandExecutor({ ...options, clock: systemClock() })
  const noted = await noteAcks(executor)
  await t.rejects(executor.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
  t.same(noted.acks, [])
  await t.rejects(executor.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
  await t.rejects(executor.send(actionRequest({ budgetMs: 0 })), { code: 'EXECUTOR_REQUEST' })
  t.equal(await executor.proof(100), false, 'there is none')
})

t.test('an agent that stops waits for what runs, and starts nothing any more', async (t) => {
  const { folder, executor, noted } = await command(t, 'while [ ! -e go ]; do sleep 0.05; done; echo >effect')
  await executor.send(actionRequest())
  const stopped = executor.stop()
  await t.rejects(executor.send(actionRequest({ key: 'key-0002' })), { code: 'EXECUTOR_UNREACHABLE' })
  writeFileSync(join(folder, 'go'), '')
  await stopped
  t.same(noted.stages('key-0001'), ['started', 'completed'])
  t.ok(existsSync(join(folder, 'effect')))
})

t.test('at most eight run at once', async (t) => {
  const { folder, executor, noted } = await command(t, 'while [ ! -e go ]; do sleep 0.05; done')
  for (let k = 0; k < 8; k += 1) await executor.send(actionRequest({ key: `key-000${k}` }))
  await t.rejects(executor.send(actionRequest({ key: 'key-0009' })), { code: 'EXECUTOR_BUSY' })
  writeFileSync(join(folder, 'go'), '')
  for (let k = 0; k < 8; k += 1) await noted.count(`key-000${k}`, 2)
  await executor.send(actionRequest({ key: 'key-0009' }))
  await noted.count('key-0009', 2)
})

t.test('a proof runs what was named for it, and the action never', async (t) => {
  const good = await command(t, 'echo >effect', { proof: '[ -z "$HB_KEY" ]' })
  t.equal(await good.executor.proof(5000), true)
  t.notOk(existsSync(join(good.folder, 'effect')))
  const bad = await command(t, 'echo >effect', { proof: 'exit 1' })
  t.equal(await bad.executor.proof(5000), false)
})
