import { existsSync } from 'node:fs'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { utc } from '../../shared/lib/command-output.ts'
import { createBundleFolder } from '../adapters/bundle-folder.ts'
import { systemFiles } from '../adapters/files.ts'
import { type BundleReadEvents, readBundles } from '../bundle-activation.ts'
import type { Finding } from './doctor.ts'

const CHECK = 'bundle'

/**
 * The signed bundle that an agent with this state folder and configuration runs under after a start, and what is wrong with
 * those that are kept. Without a configuration nobody is trusted, so only damage is looked for.
 */
export function bundleFindings(state: string, config: string | undefined): Finding[] {
  if (!existsSync(state)) return []
  const folder = createBundleFolder(systemFiles, state)
  const { kept, damaged } = folder.read()
  const findings: Finding[] = damaged.map(({ file }) => ({
    ...{ check: CHECK, ok: false, detail: `${file} is damaged` },
    remedy: 'activate the bundle with this number again under a higher one; the one before it is used meanwhile',
  }))
  const [newest] = kept
  if (newest === undefined) return findings
  if (config === undefined)
    return [
      ...findings,
      { check: CHECK, ok: true, detail: `number ${newest.number}; --config tells whether it is in force` },
    ]
  return [...findings, ...inForceFindings(folder, config)]
}

function inForceFindings(folder: ReturnType<typeof createBundleFolder>, config: string): Finding[] {
  const left: string[] = []
  const events: BundleReadEvents = {
    bundleDamaged: () => undefined,
    bundleLeftOut: ({ number, reasons }) =>
      void left.push(`a start does not run under number ${number}: ${reasons.join('; ')}`),
  }
  let bundle: ReturnType<typeof readBundles>['bundle']
  try {
    bundle = readBundles(loadRuntimeConfig(config), folder, events).bundle
  } catch (error) {
    // Another check says what is wrong with the configuration.
    if (isHbError(error)) return []
    throw error
  }
  const findings: Finding[] = left.map((detail) => ({
    ...{ check: CHECK, ok: true, warns: true, detail },
    remedy: 'a start runs under what the files say; sign and activate a bundle of them when that is what is meant',
  }))
  if (bundle === null) return findings
  const { number, notAfterUs } = bundle.manifest
  const isOver = notAfterUs !== 0 && !(systemClock().nowUs() <= notAfterUs)
  const detail = `number ${number}, digest ${bundle.digest}, signed by ${bundle.signers.join(', ')}, in force since ${utc(bundle.atUs)}`
  if (!isOver) return [...findings, { check: CHECK, ok: true, detail }]
  const remedy = 'it stays in force; sign and activate a new one'
  return [...findings, { check: CHECK, ok: true, warns: true, detail: `${detail}; it has run out`, remedy }]
}
