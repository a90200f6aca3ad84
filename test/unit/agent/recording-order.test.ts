import t from 'tap'
import { type RecordingLane, RecordingOrder } from '../../../agent/adapters/recording-order.ts'
import { createPrng, type Prng } from '../../../shared/lib/prng.ts'

const turns = async (prng: Prng): Promise<void> => {
  for (let k = prng.int(4); k > 0; k -= 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Plays times through a lane, with pauses, and notes what was played. */
async function play(lane: RecordingLane, { name, times, prng, played }: Player): Promise<void> {
  for (const timeUs of times) {
    await turns(prng)
    if (!(await lane.turn(timeUs))) return
    await turns(prng)
    played.push(`${timeUs} ${name}`)
  }
  lane.end()
}
type Player = Readonly<{ name: string; times: readonly number[]; prng: Prng; played: string[] }>

t.test('recordings are played in order of time and then of name, however fast each is read', async (t) => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const prng = createPrng(seed)
    const order = new RecordingOrder()
    const played: string[] = []
    const names = ['c', 'a', 'b', 'd'].slice(0, 1 + prng.int(4))
    const players = names.map((name) => {
      const times: number[] = []
      for (let k = 0, us = prng.int(50); k < 1 + prng.int(60); k += 1, us += prng.int(3)) times.push(us)
      return { name, times, prng, played }
    })
    const wanted = players
      .flatMap(({ name, times }) => times.map((timeUs) => ({ timeUs, name })))
      .sort((a, b) => a.timeUs - b.timeUs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    await Promise.all(
      players
        .map((player) => ({ lane: order.join(player.name), player }))
        .map(({ lane, player }) => play(lane, player)),
    )
    t.same(
      played,
      wanted.map(({ timeUs, name }) => `${timeUs} ${name}`),
    )
  }
})

t.test('a recording that ends or is stopped while it waits holds up no other', async (t) => {
  const order = new RecordingOrder()
  const [a, b, c] = [order.join('a'), order.join('b'), order.join('c')]
  const first = a.turn(10)
  const second = b.turn(20)
  let went = false
  void first.then(() => {
    went = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(went, 'nobody goes before all have said what comes next')
  c.end()
  t.equal(await first, true)
  b.end()
  t.equal(await second, false, 'who was stopped is told')
  t.equal(await b.turn(30), false, 'and has no turn any more')
  t.equal(await a.turn(40), true, 'the last one waits for nobody')
})
