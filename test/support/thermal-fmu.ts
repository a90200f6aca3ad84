import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from '../../scripts/sources.ts'

/** That of the system: it is the one that has the package `python3-zmq`. */
export const PYTHON = '/usr/bin/python3'
export const FMU_PLANT = join(ROOT, 'hil-testbed/clients/python/fmu_plant.py')
const SOURCES = join(ROOT, 'test/support/fmu')

export type FmiVersion = 2 | 3
/** `says_bytes`: what the header of the entry says, true or not. */
type Entry = Readonly<{ text?: string; file?: string; mode?: number; says_bytes?: number }>
export type FmuChange = Readonly<{
  /** Another description. */
  description?: (xml: string) => string
  /** More entries of the zip, or others. */
  entries?: Readonly<Record<string, Entry>>
  /** Folder of the binary in the zip, when it is not that of this machine. */
  platform?: string
}>

/** What the FMU does wrong in one of its steps, as `thermal.h` counts it. */
export const TROUBLE = { discard: 1, error: 2, fatal: 3, nan: 4, slow: 5, wantsEnd: 6, refusesInput: 7 } as const

type Row = readonly [
  name: string,
  type: string,
  causality: string,
  more?: Readonly<Record<string, string | number | boolean>>,
]
/** In the order of its value references; names as tools write them, not as the bench does. */
const ROWS: readonly Row[] = [
  ['heater_on', 'Boolean', 'input', { start: true }],
  ['cooling', 'Real', 'input', { start: 0, min: 0, max: 1 }],
  ['heater_w', 'Real', 'input', { start: 40, unit: 'W' }],
  ['extra_heat_w', 'Real', 'input', { start: 0, declaredType: 'Power' }],
  ['ambient_c', 'Real', 'input', { start: 20, unit: 'degC' }],
  ['Temp.C', 'Real', 'output', { start: 60, unit: 'degC' }],
  ['heat[W]', 'Real', 'output', { declaredType: 'Power' }],
  ['Ambient_C', 'Real', 'output', { unit: 'degC' }],
  ['steps', 'Integer', 'output', {}],
  ['loss.w_k', 'Real', 'local', { unit: 'W/K' }],
  ['capacity_j_k', 'Real', 'parameter', { start: 60, min: 0, unit: 'J/K' }],
  ['trouble', 'Integer', 'parameter', { start: 0 }],
  ['trouble_at_s', 'Real', 'parameter', { start: 0, unit: 's' }],
]

/** Library of the FMU for this machine, compiled into a folder. */
function library(folder: string, version: FmiVersion): string {
  const to = join(folder, `thermal${version}.so`)
  // Without contraction: a fused multiply-add would round once less than the built-in plant.
  const flags = ['-std=c99', '-O2', '-Wall', '-Wextra', '-Werror', '-ffp-contract=off', '-shared', '-fPIC']
  execFileSync('cc', [...flags, '-o', to, join(SOURCES, `thermal${version}.c`)])
  return to
}

function xml(tag: string, attributes: Readonly<Record<string, string | number | boolean>>, inside = ''): string {
  const text = Object.entries(attributes).map(([key, value]) => ` ${key}="${value}"`)
  return inside === '' ? `<${tag}${text.join('')}/>` : `<${tag}${text.join('')}>${inside}</${tag}>`
}

function variable([name, type, causality, more = {}]: Row, valueReference: number, version: FmiVersion): string {
  const variability = type === 'Real' || type === 'Single' ? 'continuous' : 'discrete'
  const base = { name, valueReference, causality, variability: causality === 'parameter' ? 'fixed' : variability }
  const initial = causality === 'output' && more['start'] !== undefined ? { initial: 'exact' } : {}
  if (version === 2) return xml('ScalarVariable', { ...base, ...initial }, xml(type, more))
  const type3 = { Real: 'Float64', Single: 'Float32', Integer: 'Int32', Boolean: 'Boolean' }[type]!
  return xml(type3, { ...base, ...initial, ...more })
}

function description(version: FmiVersion): string {
  const units = ['W', 'degC', 'W/K', 'J/K', 's'].map((name) => xml('Unit', { name }))
  const [saves, token] =
    version === 2 ? ['canGetAndSetFMUstate', 'guid'] : ['canGetAndSetFMUState', 'instantiationToken']
  const power =
    version === 2 ? '<SimpleType name="Power"><Real unit="W"/></SimpleType>' : '<Float64Type name="Power" unit="W"/>'
  const rows: readonly Row[] = version === 2 ? ROWS : [...ROWS, ['temp.single', 'Single', 'output', {}]]
  const outputs = rows.flatMap(([, , causality], k) => (causality === 'output' ? [k] : []))
  const structure =
    version === 2
      ? xml('Outputs', {}, outputs.map((k) => xml('Unknown', { index: k + 1 })).join(''))
      : outputs.map((k) => xml('Output', { valueReference: k })).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="${version}.0" modelName="thermal" version="1.0" ${token}="{hb-thermal}">
<CoSimulation modelIdentifier="thermal" ${saves}="true" canHandleVariableCommunicationStepSize="true"/>
<UnitDefinitions>${units.join('')}</UnitDefinitions>
<TypeDefinitions>${power}</TypeDefinitions>
<DefaultExperiment stepSize="0.01"/>
<ModelVariables>
${rows.map((row, k) => variable(row, k, version)).join('\n')}
</ModelVariables>
<ModelStructure>${structure}</ModelStructure>
</fmiModelDescription>
`
}

/** Folder of the binaries of this machine, as each version calls it. */
function ownPlatform(version: FmiVersion): string {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as 'x64' | 'arm64']
  return version === 2 && process.arch === 'x64' ? 'linux64' : `${machine}-linux`
}

/** FMUs of the built-in plant `thermal`, made in a folder: each version is compiled once. */
export function thermalFmus(folder: string): (version: FmiVersion, change?: FmuChange) => string {
  const libraries = { 2: library(folder, 2), 3: library(folder, 3) }
  let made = 0
  return (version, change = {}) => {
    const { description: changed = (text) => text, entries = {}, platform = ownPlatform(version) } = change
    made += 1
    const to = join(folder, `thermal-${made}.fmu`)
    const all = {
      'modelDescription.xml': { text: changed(description(version)) },
      [`binaries/${platform}/thermal.so`]: { file: libraries[version] },
      ...entries,
    }
    execFileSync(PYTHON, ['-B', join(SOURCES, 'pack.py')], { input: JSON.stringify({ to, entries: all }) })
    return to
  }
}
