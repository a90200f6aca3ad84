import { expectedOf, type Schema } from './document.ts'
import { CollectorSchema, RegistrySchema, RuntimeSchema } from './schema.ts'

const FILES: readonly (readonly [title: string, text: string, schema: Schema])[] = [
  ['runtime.yaml', 'Configuration of an agent: `hb runtime --config FILE`.', RuntimeSchema as unknown as Schema],
  ['Metric registry', 'Named by `registry_file` of a rig: what its channels mean and what they may be.', RegistrySchema as unknown as Schema],
  ['collector.yaml', 'Configuration of a collector: `hb collector --config FILE`.', CollectorSchema as unknown as Schema],
]

/** Every key of every configuration file as Markdown, from the same schemas that check the files. */
export function configReferenceMarkdown(): string {
  const parts = ['# Configuration', '', 'YAML, one value a key, units in the names. Every mistake is listed at once with its line; exit code 78, and nothing is started.']
  for (const [title, text, schema] of FILES) {
    parts.push('', `## ${title}`, '', text, '', '| key | value | default | meaning |', '|---|---|---|---|', ...rowsOf(schema, ''))
  }
  return `${parts.join('\n')}\n`
}

function rowsOf(schema: Schema, prefix: string): string[] {
  const rows: string[] = []
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    const name = `${prefix}${key}`
    const needed = schema.required?.includes(key) === true
    rows.push(`| \`${name}\` | ${cell(expectedOf(part))} | ${defaultCell(part, needed)} | ${cell(part.description ?? '')} |`, ...nested(part, name))
  }
  return rows
}

function nested(schema: Schema, name: string): string[] {
  if (schema.type === 'array' && schema.items !== undefined) return nestedItems(schema.items, `${name}[].`)
  if (schema.patternProperties !== undefined) return nestedItems(Object.values(schema.patternProperties)[0]!, `${name}.NAME.`)
  return schema.properties === undefined ? [] : rowsOf(schema, `${name}.`)
}

function nestedItems(items: Schema, prefix: string): string[] {
  if (items.properties !== undefined) return rowsOf(items, prefix)
  return (items.anyOf ?? []).flatMap((choice) => (choice.properties === undefined ? [] : rowsOf(choice, prefix)))
}

function defaultCell(schema: Schema, needed: boolean): string {
  if (schema.default !== undefined) return `\`${JSON.stringify(schema.default)}\``
  return needed && schema.type !== 'object' ? '**needed**' : '-'
}

function cell(text: string): string {
  return text.replace(/\|/g, '\\|')
}
