import t from 'tap'
import { createOrigins, noteOrigin, provenanceSince, publisherSince } from '../../../../agent/core/origins.ts'
import { PROVENANCES } from '../../../../shared/model/telemetry.ts'

const live = (newestUs: number, publisher = 'daq-1') =>
  ({ nowUs: newestUs + 5, newestUs, provenance: 'live', publisher }) as const

// verifies SE-12
t.test('one sample that is not live makes every window that reaches back to it not live', async (t) => {
  for (const provenance of PROVENANCES.filter((one) => one !== 'live')) {
    const origins = createOrigins(2)
    t.equal(provenanceSince(origins, 1, 0), 'late', 'nothing known is not live')
    noteOrigin(origins, 1, live(1_000))
    noteOrigin(origins, 1, { ...live(2_000), provenance })
    noteOrigin(origins, 1, live(3_000))
    t.equal(provenanceSince(origins, 1, 1_999), provenance)
    t.equal(provenanceSince(origins, 1, 2_000), 'live', 'once it has left the window')
    t.equal(provenanceSince(origins, 0, 0), 'late', 'the metric beside it is another one')
  }
})

// verifies SE-06
t.test('a window with samples of two publishers is of none', async (t) => {
  const origins = createOrigins(1)
  t.equal(publisherSince(origins, 0, 0), '')
  noteOrigin(origins, 0, live(1_000))
  t.equal(publisherSince(origins, 0, 0), 'daq-1')
  noteOrigin(origins, 0, live(2_000, 'daq-2'))
  t.equal(publisherSince(origins, 0, 999), '')
  t.equal(publisherSince(origins, 0, 1_000), 'daq-2')
  noteOrigin(origins, 0, live(3_000, 'daq-1'))
  t.equal(publisherSince(origins, 0, 1_500), '')
  t.equal(publisherSince(origins, 0, 2_000), 'daq-1')
})
