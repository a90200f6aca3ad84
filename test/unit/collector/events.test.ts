import { Writable } from 'node:stream'
import t from 'tap'
import { createCollectorEvents } from '../../../collector/events.ts'
import { createLogger } from '../../../shared/log/logger.ts'

t.test('what is told of evidence that was taken is no refusal in the log', (t) => {
  const said: string[] = []
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      const { event, code } = JSON.parse(String(chunk)) as { event: string; code: string }
      said.push(`${event} ${code}`)
      done()
    },
  })
  const events = createCollectorEvents(createLogger({ name: 'collector', level: 'info', destination }))
  const facts = { agent: 'bench-1', detail: '', epoch: 1, batch_seq: 1, times: 1 }
  for (const code of ['CHAIN_RENEWED', 'DETAIL_THINNED', 'CHAIN_GAP', 'EVIDENCE_LOST', 'AGENT_UNKNOWN'])
    events.refused({ ...facts, code })
  t.same(said, [
    'noticed CHAIN_RENEWED',
    'noticed DETAIL_THINNED',
    'refused CHAIN_GAP',
    'noticed EVIDENCE_LOST',
    'refused AGENT_UNKNOWN',
  ])
  t.end()
})
