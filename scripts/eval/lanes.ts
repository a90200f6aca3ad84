/** Evaluators that run at once. */
export const LANES = 2

/** Does all jobs, {@link LANES} at a time, and gives their results in the order of the jobs. The first failure ends it. */
export async function inLanes<Job, Result>(
  jobs: readonly Job[],
  work: (job: Job) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(jobs.length)
  let next = 0
  let failed = false
  const lane = async (): Promise<void> => {
    while (next < jobs.length && !failed) {
      const at = next
      next += 1
      try {
        results[at] = await work(jobs[at]!)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return results
}
