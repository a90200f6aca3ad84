/** What a measure is given: whether time is short, and where progress goes. */
export type Setting = Readonly<{ short: boolean; say(text: string): void }>

/** Something that is measured together: the names of its results, what the load is, and how. */
export type Measure = Readonly<{
  names: readonly string[]
  what: string
  run(setting: Setting): Promise<Readonly<Record<string, number>>>
}>
