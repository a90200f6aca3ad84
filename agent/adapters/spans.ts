import { type Context, context, ProxyTracerProvider, type SpanContext, type Tracer, trace } from '@opentelemetry/api'
import type { Decision } from '../../shared/model/decision.ts'
import type { OutboxEntry, RawTelemetry } from '../ports.ts'

/**
 * Spans for who traces: `hb.ingest` around a turn of telemetry, below it `hb.decision` for every slide that it closed, and
 * `hb.batch` from the signature until it is durable, with links to the decisions in it. Looking only: nothing of it is
 * evidence, and nothing that is decided depends on it.
 */
export interface Spans {
  ingest<T>(raw: RawTelemetry, take: () => T): T
  decided(decision: Decision): void
  sealed(entry: OutboxEntry): void
}

const NAME = 'harmony-bridge'
/** Decisions that a batch links to, and that are remembered for the next one; of more the oldest are left out. */
export const LINKS_MAX = 128

/** @returns null when no SDK is registered in this process: then it costs nothing. */
export function createSpans(version: string): Spans | null {
  const provider = trace.getTracerProvider()
  if (provider instanceof ProxyTracerProvider && provider.getDelegateTracer(NAME, version) === undefined) return null
  return new TracedAgent(trace.getTracer(NAME, version))
}

class TracedAgent implements Spans {
  private readonly tracer: Tracer
  private below: Context = context.active()
  private decisions: { seq: number; span: SpanContext }[] = []

  constructor(tracer: Tracer) {
    this.tracer = tracer
  }

  ingest<T>({ rig, origin, messages }: RawTelemetry, take: () => T): T {
    const attributes = { 'hb.rig': rig, 'hb.source': origin, 'hb.messages': messages.length }
    const span = this.tracer.startSpan('hb.ingest', { attributes })
    const before = this.below
    this.below = trace.setSpan(before, span)
    try {
      return take()
    } finally {
      this.below = before
      span.end()
    }
  }

  decided({ seq, rig, verdict, timeUs }: Decision): void {
    const attributes = { 'hb.rig': rig, 'hb.decision': seq, 'hb.verdict': verdict, 'hb.t_us': timeUs }
    const span = this.tracer.startSpan('hb.decision', { attributes }, this.below)
    span.end()
    this.decisions.push({ seq, span: span.spanContext() })
    if (this.decisions.length > LINKS_MAX) this.decisions.shift()
  }

  sealed({ epoch, batchSeq, firstSeq, count, madeUs }: OutboxEntry): void {
    const last = firstSeq + count - 1
    const links = this.decisions
      .filter(({ seq }) => seq >= firstSeq && seq <= last)
      .map(({ span }) => ({ context: span }))
    const attributes = { 'hb.epoch': epoch, 'hb.batch': batchSeq, 'hb.first_decision': firstSeq, 'hb.decisions': count }
    this.tracer.startSpan('hb.batch', { attributes, links, startTime: new Date(madeUs / 1000) }).end()
    this.decisions = this.decisions.filter(({ seq }) => seq > last)
  }
}
