import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createDoor, ENTER_WITHIN_MS, ENTERING_MAX, SAY_EVERY_MS } from '../../../collector/ws/door.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { openDatabase } from '../../../shared/sqlite/database.ts'

type Refused = { code: string; detail: string; times: number }

function doorOf() {
  const clock = createVirtualClock(1)
  const said: Refused[] = []
  const door = createDoor({ clock, refuse: async (refusal) => void said.push(refusal) })
  let port = 0
  const come = () => {
    port += 1
    const socket = new EventEmitter() as EventEmitter & { destroyed: boolean; destroy(): void }
    socket.destroyed = false
    socket.destroy = () => {
      socket.destroyed = true
      socket.emit('close')
    }
    door.came(Object.assign(socket, { remoteAddress: '10.0.0.1', remotePort: port }) as unknown as Socket)
    return { socket, remote: { remoteAddress: '10.0.0.1', remotePort: port } }
  }
  return { clock, said, door, come }
}

t.test('more connections without a session than may be are cut, and there is room when the others go', async (t) => {
  const { clock, said, door, come } = doorOf()
  const inside = Array.from({ length: ENTERING_MAX }, come)
  t.equal(door.entering, ENTERING_MAX)
  const surplus = Array.from({ length: 1000 }, come)
  t.ok(surplus.every(({ socket }) => socket.destroyed))
  t.match(said, [{ code: 'SESSIONS_FULL', times: 1 }], 'said once')
  door.entered(inside[0]!.remote)
  t.notOk(come().socket.destroyed, 'a session made room')
  await clock.advance(ENTER_WITHIN_MS * 1000)
  t.equal(door.entering, 0, 'who did not enter in time is cut')
  t.match(
    door.counts().find(({ code }) => code === 'SESSIONS_FULL'),
    { count: 1000 },
  )
  t.equal(
    said.filter(({ code }) => code === 'SESSIONS_FULL').reduce((sum, { times }) => sum + times, 0),
    1000,
    'and the number is told afterwards',
  )
  door.close()
})

t.test('a hundred thousand kinds of strangers are told apart up to a bound, and all are counted', async (t) => {
  const { clock, said, door } = doorOf()
  for (let k = 0; k < 100_000; k += 1) door.turnAway({ code: 'AGENT_CERTIFICATE', agent: `a${k}`, detail: `kind ${k}` })
  await clock.advance(SAY_EVERY_MS * 1000 * 2)
  t.ok(door.counts().length <= 257, `${door.counts().length} kinds`)
  t.equal(
    door.counts().reduce((sum, { count }) => sum + count, 0),
    100_000,
  )
  t.equal(
    said.reduce((sum, { times }) => sum + times, 0),
    100_000,
  )
  door.close()
})

t.test('one transaction more than may wait is refused, and the others are written', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-door-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const clock = createVirtualClock(1)
  const db = await openDatabase({
    path: join(folder, 'x.sqlite'),
    migrations: [{ number: 1, name: 'one', sql: 'CREATE TABLE one (n INTEGER)' }],
    clock,
  })
  const writes = Array.from({ length: 1_030 }, (_, n) =>
    db
      .write((tx) => tx.insert({ table: 'one', columns: ['n'] }, [[n]]))
      .then(
        () => 'written',
        (error: { code: string }) => error.code,
      ),
  )
  const ends = await Promise.all(writes)
  t.equal(ends.filter((end) => end === 'DATABASE_BUSY').length, 6)
  t.same(await db.get('SELECT count(*) AS n FROM one'), { n: 1_024 })
  t.equal(await db.write(async () => 'again'), 'again')
  await db.close()
})
