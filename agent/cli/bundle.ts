import type { Command } from 'commander'
import { BUNDLE_REASON_CHARS_MAX } from '../../shared/codec/bundle-manifest.ts'
import { lookIntoBundle } from '../../shared/codec/config-bundle.ts'
import { isFleetBundle } from '../../shared/codec/fleet-bundle.ts'
import { loadOperators, loadRuntimeConfig, parseRuntimeFiles } from '../../shared/config/load.ts'
import { BundleError } from '../../shared/errors/bundle-error.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { printResult, utc } from '../../shared/lib/command-output.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import { askAgent } from '../adapters/control-server.ts'
import { type BundleTrust, type Configuration, checkBundle, holdsPolicy } from '../pipeline/bundle-judgement.ts'
import { type ConfigDiff, diffConfigurations, diffLines } from '../pipeline/config-diff.ts'
import { filesInForce } from '../pipeline/files-in-force.ts'
import { viewStorage } from '../storage.ts'
import { manifestJson, readBundleFile, untilWords } from './bundle-file.ts'
import { cutFleet, makeFleetBundle, verifyFleet } from './bundle-fleet.ts'
import { signBundle } from './bundle-sign.ts'

/** Adds `hb bundle sign|fleet|cut|verify|diff|activate`. */
export function bundleCommands(program: Command): void {
  const bundle = program
    .command('bundle')
    .description('everything an agent runs under, as one signed file: made, checked, compared, put in force')
  bundle
    .command('sign')
    .description('make a bundle of a configuration with --config, or add a signature to the bundle that is named')
    .argument('[bundle]', 'bundle to sign too; it stays as it is')
    .requiredOption('--key <file>', 'private key of the operator who signs')
    .requiredOption('--out <file>', 'bundle to write; an existing file is refused')
    .option('--config <file>', 'runtime.yaml to make a bundle of, with every file it names')
    .option(
      '--number <n>',
      'number of the bundle, above that of the one in force; by default the time as YYYYMMDDhhmmss',
    )
    .option('--not-after <time>', 'UTC time after which it may not be activated, such as 2027-01-31T12:00:00Z')
    .option('--reason <text>', `why, in at most ${BUNDLE_REASON_CHARS_MAX} characters`, '')
    .option('--json', 'one JSON object')
    .action(signBundle)
  fleetCommands(bundle)
  bundle
    .command('verify')
    .description('check signatures, every byte, and the whole configuration inside; every problem is listed')
    .argument('<bundle>', 'bundle to check')
    .option(
      '--config <file>',
      'runtime.yaml of the agent it is for: its operators are trusted, and it must be for this agent',
    )
    .option('--operators <file>', 'operators.yaml with the people who are trusted')
    .option('--json', 'one JSON object')
    .action(verify)
  bundle
    .command('diff')
    .description('say file by file what a bundle changes; nothing is proved of it')
    .argument('<bundle>', 'bundle to look at')
    .argument('[before]', 'bundle to compare it with')
    .option('--state <dir>', 'state folder of the agent whose configuration in force it is compared with')
    .option('--json', 'one JSON object')
    .action(diff)
  bundle
    .command('activate')
    .description('hand a bundle to a running agent, which takes it whole or says everything that is wrong with it')
    .argument('<bundle>', 'bundle with all its signatures')
    .requiredOption('--state <dir>', 'state folder of the agent')
    .option('--json', 'one JSON object')
    .action(activate)
}

function fleetCommands(bundle: Command): void {
  bundle
    .command('fleet')
    .description('make one bundle of the configurations of many agents, in the order in which a rollout takes them')
    .requiredOption('--config <files...>', 'runtime.yaml of every agent, with every file that it names')
    .requiredOption('--key <file>', 'private key of the operator who signs')
    .requiredOption('--out <file>', 'bundle to write; an existing file is refused')
    .option('--number <n>', 'number of the bundle, above that of any in force; by default the time as YYYYMMDDhhmmss')
    .option('--not-after <time>', 'UTC time after which it may not be activated, such as 2027-01-31T12:00:00Z')
    .option('--back-within <span>', 'for so long a rollout may take it back from an agent; 0: never', '24h')
    .option('--reason <text>', `why, in at most ${BUNDLE_REASON_CHARS_MAX} characters`, '')
    .option('--json', 'one JSON object')
    .action(makeFleetBundle)
  bundle
    .command('cut')
    .description('write what a fleet bundle has for one agent, to be carried there and activated')
    .argument('<bundle>', 'bundle of a fleet')
    .requiredOption('--agent <id>', 'the agent')
    .requiredOption('--out <file>', 'bundle to write; an existing file is refused')
    .option('--json', 'one JSON object')
    .action(cutFleet)
}

type VerifyOptions = Readonly<{ config?: string; operators?: string; json?: boolean }>

/** @throws BundleError with everything that is wrong */
function verify(path: string, options: VerifyOptions): void {
  const bytes = readBundleFile(path)
  if (isFleetBundle(bytes)) {
    verifyFleet(bytes, trustOf(options), options.json)
    return
  }
  const { bundle, next, problems } = checkBundle(bytes, trustOf(options))
  if (bundle === null || next === null || problems.length > 0) throw new BundleError(problems)
  const { manifest, digest, signers } = bundle
  printResult(
    options.json,
    { ok: true, digest, ...manifestJson(manifest), signers, holds_policy: holdsPolicy(next), note: PERSONS_NOTE },
    [
      `bundle ${manifest.number} for agent ${manifest.agent} of ${manifest.deployment}: good, signed by ${signers.join(', ')}`,
      `digest ${digest}`,
      `configuration ${manifest.config}, ${manifest.files.length} files, made ${utc(manifest.madeUs)}, ${untilWords(manifest)}`,
      ...(manifest.reason === '' ? [] : [`reason: ${manifest.reason}`]),
      `(${PERSONS_NOTE})`,
    ],
  )
}

/** Who is believed: with --config also whose bundle it must be. */
function trustOf({ config, operators }: VerifyOptions): BundleTrust {
  const nowUs = systemClock().nowUs()
  if ((config === undefined) === (operators === undefined))
    throw new HbError('USAGE', { expected: 'either --config or --operators: people whose signatures are believed' })
  if (config !== undefined) {
    const loaded = loadRuntimeConfig(config)
    const { deployment, agent } = loaded.config
    return { trust: loaded.trust, place: { deployment, agent }, replacesPolicy: holdsPolicy(loaded), nowUs }
  }
  return { trust: loadOperators(operators!), place: null, replacesPolicy: false, nowUs }
}

type DiffOptions = Readonly<{ state?: string; json?: boolean }>

async function diff(path: string, before: string | undefined, options: DiffOptions): Promise<void> {
  const { state } = options
  if ((before === undefined) === (state === undefined))
    throw new HbError('USAGE', { expected: 'either another bundle or --state: what to compare it with' })
  const then = before === undefined ? await inForce(state!) : configurationIn(before)
  const found = diffConfigurations(then, configurationIn(path))
  printResult(options.json, diffJson(found), diffLines(found))
}

type ActivateOptions = Readonly<{ state: string; json?: boolean }>

/** Shows what changed: what will be armed next is what was shown (SE-39). */
async function activate(path: string, { state, json }: ActivateOptions): Promise<void> {
  const bytes = readBundleFile(path)
  if (isFleetBundle(bytes))
    throw new HbError('USAGE', { found: `${path}: a bundle of a fleet`, expected: 'what `hb bundle cut` writes of it' })
  const before = await inForce(state)
  const answer = await askAgent(state, '/bundle', { bundle: Buffer.from(bytes).toString('base64') })
  const { number, digest, signers } = answer as { number: number; digest: string; signers: string[] }
  const found = diffConfigurations(before, configurationIn(path))
  printResult(json, { activated: true, ...answer, changes: diffJson(found), note: PERSONS_NOTE }, [
    `bundle ${number} is in force from the next slide on, signed by ${signers.join(', ')}`,
    `digest ${digest}`,
    ...diffLines(found),
    ...(holdsPolicy(before) ? ['what was armed is not any more: look at what changed, then arm again'] : []),
    `(${PERSONS_NOTE})`,
  ])
}

async function inForce(state: string): Promise<Configuration> {
  const files = await filesInForce(viewStorage(state), state)
  return { ...parseRuntimeFiles(files), files }
}

/** The configuration inside of a bundle, whoever signed it. @throws BundleError, ConfigError */
function configurationIn(path: string): Configuration {
  const { parts, problems } = lookIntoBundle(readBundleFile(path))
  if (problems.length > 0) throw new BundleError(problems)
  const { files } = parts
  return { ...parseRuntimeFiles(files), files }
}

function diffJson({ from, to, same, files, left }: ConfigDiff) {
  return { from, to, same, files, not_shown: left }
}
