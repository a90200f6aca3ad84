import { type Explained, explain, type KeyValue, readToExplain } from '../../shared/config/explain.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult } from '../../shared/lib/command-output.ts'

export type ExplainOptions = Readonly<{ all?: boolean; config?: string; json?: boolean }>

/** `hb config explain`: what a key means, and what it is now. @throws HbError USAGE, CONFIG_MISSING */
export function explainKeys(key: string | undefined, options: ExplainOptions): void {
  if ((key === undefined) !== (options.all === true))
    throw new HbError('USAGE', { found: key === undefined ? 'no key' : 'a key and --all', expected: 'a key, or --all' })
  const files = options.config === undefined ? null : readToExplain(options.config)
  if (typeof files === 'string') throw new HbError('CONFIG_MISSING', { path: options.config, reason: files })
  const found = explain(key ?? null, files)
  if ('hint' in found)
    throw new HbError('USAGE', { argument: 'key', found: key, hint: found.hint ?? 'hb config explain --all shows all' })
  const mistakes = files === null ? 0 : files.main.problems.length
  printResult(options.json, { keys: found.map(keyJson), ...(files === null ? {} : { mistakes }) }, [
    ...found.flatMap(keyLines),
    ...(mistakes === 0 ? [] : [`! ${mistakes} mistakes in the file: hb config check ${options.config}`]),
  ])
}

function keyJson({ isNeeded, now, ...rest }: Explained): Record<string, unknown> {
  return {
    ...rest,
    needed: isNeeded,
    now: now.map(({ isSet, value, ...place }) => ({ ...place, set: isSet, value: value ?? null })),
  }
}

function keyLines({ file, name, meaning, type, unit, range, default: initial, isNeeded, now }: Explained): string[] {
  const fact = (label: string, text: string): string[] => (text === '' ? [] : [`  ${label.padEnd(8)} ${text}`])
  return [
    `${name}   (${file})`,
    ...fact('meaning', meaning),
    ...fact('type', type),
    ...fact('unit', unit),
    ...fact('range', range),
    ...fact('default', initial ?? (isNeeded ? 'none: it is needed' : 'none: it may be left out')),
    ...now.flatMap(nowLines),
    '',
  ]
}

function nowLines({ key, rig, value, isSet, file, line }: KeyValue): string[] {
  const shown = value === undefined ? 'nothing' : JSON.stringify(value)
  const where = isSet ? `set at ${file}:${line}` : value === undefined ? 'left out' : 'by default'
  return [`  now      ${key} = ${shown}   ${where}${rig === null ? '' : `, for rig ${rig}`}`]
}
