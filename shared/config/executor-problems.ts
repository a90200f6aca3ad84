import type { EmailChannelConfig, ExecutorConfig, NotifyChannelConfig } from './executor-schema.ts'

/** What the schema of one executor cannot say; `path` is from the executor. */
export type ExecutorProblem = Readonly<{ path: readonly (string | number)[]; found: string; expected: string }>

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

/** Every mistake of an executor that fits its schema. */
export function executorProblems(config: ExecutorConfig): ExecutorProblem[] {
  switch (config.type) {
    case 'actuator':
      return /[*]/.test(config.endpoint)
        ? [{ path: ['endpoint'], found: config.endpoint, expected: 'the address of one actuator' }]
        : []
    case 'command':
      return [...programProblems('argv', config.argv), ...programProblems('proof_argv', config.proof_argv)]
    case 'notify':
      return config.channels.flatMap((channel, index) => channelProblems(channel, ['channels', index]))
    case 'webhook':
    case 'peer':
      return []
  }
}

function programProblems(key: string, argv: readonly string[] | undefined): ExecutorProblem[] {
  if (argv === undefined) return []
  const problems: ExecutorProblem[] = []
  argv.forEach((part, index) => {
    if (part.includes('\0')) problems.push({ path: [key, index], found: 'a zero byte', expected: 'text' })
  })
  if (!argv[0]!.startsWith('/'))
    problems.push({ path: [key, 0], found: argv[0]!, expected: 'the absolute path of a program' })
  return problems
}

type Path = readonly (string | number)[]

/** Every mistake of a way to people that fits its schema. */
export function channelProblems(channel: NotifyChannelConfig, path: Path): ExecutorProblem[] {
  return channel.type === 'email' ? emailProblems(channel, path) : []
}

function emailProblems({ host, security, user, password_file }: EmailChannelConfig, path: Path): ExecutorProblem[] {
  const problems: ExecutorProblem[] = []
  if (security === 'none' && !LOOPBACK.has(host))
    problems.push({
      path: [...path, 'security'],
      found: `none, to ${host}`,
      expected: 'starttls or tls beyond this machine',
    })
  if ((user === undefined) !== (password_file === undefined)) {
    const missing = user === undefined ? 'user' : 'password_file'
    problems.push({ path: [...path, missing], found: 'nothing', expected: 'user and password_file, both or none' })
  }
  return problems
}
