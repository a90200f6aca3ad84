import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { toHex } from '../../shared/crypto/digest.ts'
import { generateSigner } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { printResult, writeNew } from '../../shared/lib/command-output.ts'

/** Adds `hb keys create`. */
export function keysCommands(program: Command): void {
  program
    .command('keys')
    .description('signing keys')
    .command('create')
    .description('make an Ed25519 key pair: FILE (private, readable by its owner only) and FILE.pub')
    .argument('<file>', 'private key to write; an existing file is refused')
    .option(
      '--testbed',
      'keys of a testbed: everything that is signed with them says so, and no production believes it',
    )
    .option('--json', 'one JSON object')
    .action(create)
}

async function create(file: string, options: Readonly<{ json?: boolean; testbed?: boolean }>): Promise<void> {
  const publicFile = `${file}.pub`
  for (const path of [file, publicFile])
    if (existsSync(path))
      throw new HbError('USAGE', {
        argument: 'file',
        found: `${path} exists`,
        expected: 'a new file; a key is never overwritten',
      })
  const realm = options.testbed === true ? 'testbed' : 'production'
  const { signer, privatePem, publicPem } = generateSigner(realm)
  writeNew(file, privatePem, 0o600)
  writeNew(publicFile, publicPem, 0o644)
  const keyId = toHex(signer.keyId)
  printResult(options.json, { private_key_file: file, public_key_file: publicFile, key_id: keyId, realm }, [
    `key ${keyId}${realm === 'testbed' ? ' of a testbed' : ''}`,
    `private ${file}`,
    `public  ${publicFile}: enrol it at the collector`,
  ])
}
