import type { Command } from 'commander'

/** What is wrong with the words of a command, `hb` first: one that there is not, options that it has not, and such as it needs. */
export function wordProblems(program: Command, words: readonly string[]): string[] {
  let command = program
  let at = 1
  for (; at < words.length; at += 1) {
    const next = command.commands.find((one) => one.name() === words[at])
    if (next === undefined) break
    command = next
  }
  // A group with a default, as `hb arm`.
  if (command.commands.length > 0) {
    const next = words[at] ?? ''
    if (at === 1 || (next !== '' && !next.startsWith('-'))) return [`no command ${words.slice(1, at + 1).join(' ')}`]
    if (command.options.length === 0) command = command.commands[0]!
  }
  // What comes after `--` is another program's.
  const rest = words.slice(at)
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  const given = own.filter((word) => word.startsWith('--'))
  const known = command.options.map(({ long }) => long)
  const missing = command.options.filter(({ mandatory, long }) => mandatory && !given.includes(long!))
  const needed = command.registeredArguments.filter(({ required }) => required).length
  const isShort = needed > 0 && words[at] === undefined
  return [
    ...given.filter((word) => !known.includes(word)).map((word) => `no option ${word}`),
    ...missing.map(({ long }) => `without ${long}`),
    ...(isShort ? ['without an argument'] : []),
  ]
}

/** The words of a line of a shell: a text in quotes is one word. */
export function shellWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare!)
}
