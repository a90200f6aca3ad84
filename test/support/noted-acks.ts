import type { Executor, ExecutorAck } from '../../agent/ports.ts'

/** What an executor has told, and a way to wait for it. */
export type NotedAcks = Readonly<{
  acks: ExecutorAck[]
  links: string[]
  stages(key: string): string[]
  /** Settles when a key has so many acks; rejects with what there is. */
  count(key: string, wanted: number): Promise<void>
}>

/** Starts an executor and notes everything it says. */
export async function noteAcks(executor: Executor): Promise<NotedAcks> {
  const acks: ExecutorAck[] = []
  const links: string[] = []
  const stages = (key: string): string[] => acks.filter((ack) => ack.key === key).map(({ status }) => status)
  await executor.start({
    ack: (ack) => acks.push(ack),
    up: () => links.push('up'),
    down: (reason) => links.push(`down: ${reason}`),
  })
  const count = async (key: string, wanted: number): Promise<void> => {
    for (let k = 0; k < 1000 && stages(key).length < wanted; k += 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
    if (stages(key).length < wanted) throw new Error(`${key}: ${JSON.stringify(acks)}`)
  }
  return { acks, links, stages, count }
}
