import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'

/** What was asked and is not answered yet. Asking the same while it is open waits for the same answer. */
export interface OpenQuestions<A> {
  readonly open: number
  /** Settles with the answer, or with null after `timeoutMs`, when there is no room, or when all are given up. */
  ask(name: string, timeoutMs: Millis, send: () => void): Promise<A | null>
  /** An answer that nobody waits for is left out. */
  answered(name: string, answer: A): void
  giveUp(): void
}

export function createOpenQuestions<A>({ clock, max }: Readonly<{ clock: Clock; max: number }>): OpenQuestions<A> {
  type Question = { promise: Promise<A | null>; settle(answer: A | null): void }
  const questions = new Map<string, Question>()
  return {
    get open() {
      return questions.size
    },
    ask(name, timeoutMs, send) {
      const same = questions.get(name)
      if (same !== undefined) return same.promise
      if (questions.size >= max) return Promise.resolve(null)
      let resolve: (answer: A | null) => void = () => {}
      const promise = new Promise<A | null>((settled) => {
        resolve = settled
      })
      const settle = (answer: A | null): void => {
        cancel()
        questions.delete(name)
        resolve(answer)
      }
      const cancel = clock.after(timeoutMs, () => settle(null))
      questions.set(name, { promise, settle })
      send()
      return promise
    },
    answered: (name, answer) => questions.get(name)?.settle(answer),
    giveUp() {
      for (const { settle } of [...questions.values()]) settle(null)
    },
  }
}
