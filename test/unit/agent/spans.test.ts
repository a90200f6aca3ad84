import { type Attributes, type Context, type Link, type SpanContext, trace } from '@opentelemetry/api'
import t from 'tap'
import { createSpans } from '../../../agent/adapters/spans.ts'
import { BareAgent, frameInput } from '../../support/bare-agent.ts'
import { ModelDisk } from '../../support/model-disk.ts'

type Seen = { name: string; attributes: Attributes; links: Link[]; parent: string | null; id: string; ended: boolean }

/** What an SDK would be: keeps what it is told. */
function register(): Seen[] {
  const seen: Seen[] = []
  const startSpan = (
    name: string,
    options: { attributes?: Attributes; links?: Link[] } = {},
    below?: Context,
  ): unknown => {
    const parent = below === undefined ? undefined : trace.getSpanContext(below)
    const id = (seen.length + 1).toString(16).padStart(16, '0')
    const span: Seen = {
      name,
      attributes: options.attributes ?? {},
      links: options.links ?? [],
      parent: parent?.spanId ?? null,
      id,
      ended: false,
    }
    seen.push(span)
    const spanContext: SpanContext = { traceId: '1'.padStart(32, '0'), spanId: id, traceFlags: 1 }
    return {
      spanContext: () => spanContext,
      end: () => {
        span.ended = true
      },
    }
  }
  const tracer = { startSpan, startActiveSpan: startSpan }
  trace.setGlobalTracerProvider({ getTracer: () => tracer as never })
  return seen
}

t.test('without an SDK there are no spans', (t) => {
  t.equal(createSpans('0'), null)
  t.end()
})

t.test('with one, telemetry, the decisions it closed and the batch they are in hang together', async (t) => {
  const seen = register()
  const agent = await BareAgent.open(new ModelDisk())
  const sink = agent.loop.sinkFor('water-loop', () => undefined)
  for (let k = 0; k < 60; k += 1) {
    const input = frameInput(k)
    if (input.kind === 'frame') await sink.deliver(input)
  }
  await agent.flush()
  const named = (name: string): Seen[] => seen.filter((span) => span.name === name)
  t.ok(named('hb.ingest').length > 10)
  const ingests = new Set(named('hb.ingest').map(({ id }) => id))
  const decisions = named('hb.decision')
  t.ok(decisions.length > 5)
  t.ok(
    decisions.some(({ parent }) => parent !== null && ingests.has(parent)),
    'a decision is below what closed its slide',
  )
  const batches = named('hb.batch')
  t.ok(batches.length > 0)
  const ids = new Set(decisions.map(({ id }) => id))
  t.ok(batches.every(({ links }) => links.every((link) => ids.has(link.context.spanId))))
  t.ok(
    batches.some(({ links }) => links.length > 0),
    'a batch links to its decisions',
  )
  t.ok(seen.every(({ ended }) => ended))
  t.comment(`counted: spans | ${seen.length} | ingest, decision, batch`)
})
