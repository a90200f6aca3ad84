import { resolve } from 'node:path'
import type { LoadedRuntime } from '../shared/config/load.ts'
import type { SourceConfig } from '../shared/config/types.ts'
import type { Lifecycle } from '../shared/lib/lifecycle.ts'
import { createCsvSource } from './adapters/csv-source.ts'
import { createHostSource } from './adapters/host-source.ts'
import { brokerCredentials, createMqttSource } from './adapters/mqtt-source.ts'
import type { RecordingOrder } from './adapters/recording-order.ts'
import { createStdinSource } from './adapters/stdin-source.ts'
import { createTailSource } from './adapters/tail-source.ts'
import { createZmqSource } from './adapters/zmq-source.ts'
import type { AgentEvents } from './events.ts'
import type { AgentLoop } from './loop.ts'
import type { AgentClock, OutsideTime, TelemetrySource } from './ports.ts'
import type { AgentStorage } from './storage.ts'

export type SourceParts = Readonly<{
  loaded: LoadedRuntime
  clock: AgentClock
  events: AgentEvents
  storage: AgentStorage
  loop: AgentLoop
  lifecycle: Lifecycle
  recordings: RecordingOrder
  /** null: time goes on by itself. */
  outside: OutsideTime | null
}>

/** What every rig listens to, as its configuration says; `finish` when all of it has ended. */
export function addSources(at: SourceParts, finish: () => void): void {
  const {
    loaded: { config },
    loop,
    lifecycle,
    events,
    outside,
  } = at
  let open = 0
  for (const rig of config.rigs) {
    for (const source of rig.sources) {
      const adapter = createSource(at, rig.rig, source)
      const sink = loop.sinkFor(rig.rig, () => {
        events.sourceEnded({ rig: rig.rig, source: source.name })
        open -= 1
        if (open === 0) void loop.endRecording().then(finish)
      })
      const turn = outside?.source(source.name, sink) ?? sink
      open += 1
      if (adapter.link !== undefined) loop.links.push({ rig: rig.rig, source: source.name, link: adapter.link })
      lifecycle.add({
        name: `source ${rig.rig}/${source.name}`,
        start: () => adapter.start(turn),
        stop: () => adapter.stop(),
      })
    }
  }
}

function createSource(at: SourceParts, rig: string, source: SourceConfig): TelemetrySource {
  const { loaded, clock, loop, storage, events, outside } = at
  switch (source.type) {
    case 'zmq':
      return createZmqSource({ rig, config: source, clock: outside === null ? clock : null })
    case 'host':
      return createHostSource({ rig, config: source, clock, epoch: loop.identity.bootId })
    case 'csv':
      return createCsvSource({
        rig,
        config: source,
        clock,
        path: resolve(loaded.folder, source.file),
        order: at.recordings,
        resumeAfter: (name, epoch) => loop.highestFrame(rig, name, epoch),
      })
    case 'stdin':
      return createStdinSource({
        rig,
        config: source,
        epoch: loop.identity.bootId,
        recording: loaded.config.clock === 'recording',
        input: process.stdin,
        failed: (error) => events.broken('stdin', error),
      })
    case 'mqtt':
      return createMqttSource({
        rig,
        config: source,
        agent: loaded.config.agent,
        credentials: brokerCredentials(source, loaded.folder),
        clock,
        random: Math.random,
        durable: () => storage.journal.sync(),
        doubt: () => loop.stopping && loop.intake.refusals.count > 0,
        news: (what, facts) => events.brokerNews(what, { rig, source: source.name, ...facts }),
      })
    case 'tail':
      return createTailSource({
        rig,
        config: source,
        path: resolve(loaded.folder, source.file),
        notes: storage.folder.path,
        clock,
        durable: () => storage.journal.sync(),
        news: (what, facts) => events.tailNews(what, { rig, source: source.name, ...facts }),
      })
  }
}
