import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type CarriedFile, placeFile, runtimeFolder } from '../../scripts/binary/runtime-folder.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'

const UID = process.getuid!()
const CONTENT = Buffer.from('an addon, as far as this test goes')
const NOBODY = 65534

/** A carried file, and how often its bytes were asked for. */
function carried(): { file: CarriedFile; asked: () => number } {
  let asked = 0
  const bytes = (): Uint8Array => {
    asked += 1
    return CONTENT
  }
  const digest = createHash('sha256').update(CONTENT).digest('hex')
  return { file: { name: 'part', digest, bytes }, asked: () => asked }
}

function tempFolder(test: { teardown(run: () => void): unknown }): string {
  const path = mkdtempSync(join(tmpdir(), 'hb-runtime-'))
  test.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Code and reason of the refusal; the path when there was none. */
function refusal(place: () => string): string {
  try {
    return place()
  } catch (error) {
    if (!isHbError(error)) throw error
    return `${error.code} ${error.context['reason'] ?? ''}`.trim()
  }
}

t.test('the folder is the one that was named, else one of the session, else one of the user', (t) => {
  const place = (env: NodeJS.ProcessEnv): string => runtimeFolder({ env, temporary: '/scratch', uid: 7 })
  t.equal(place({ HB_RUNTIME_DIR: '/a/b', XDG_RUNTIME_DIR: '/run/user/7' }), '/a/b')
  t.equal(place({ HB_RUNTIME_DIR: '', XDG_RUNTIME_DIR: '/run/user/7' }), '/run/user/7/hb-agent')
  t.equal(place({ XDG_RUNTIME_DIR: '' }), '/scratch/hb-agent-7')
  t.end()
})

t.test('a part is written once, readable and executable by its owner alone, and looked at again each time', (t) => {
  const folder = join(tempFolder(t), 'parts')
  const { file, asked } = carried()
  const path = placeFile(folder, file, UID)
  t.equal(placeFile(folder, file, UID), path)
  t.equal(asked(), 1)
  t.same(readFileSync(path), CONTENT)
  t.equal(lstatSync(path).mode & 0o777, 0o500)
  t.equal(lstatSync(folder).mode & 0o777, 0o700)
  t.same(readdirSync(folder).length, 1, 'nothing is left beside it')
  t.end()
})

t.test('whatever lies in the place of a part is replaced unless it is the part', (t) => {
  const folder = join(tempFolder(t), 'parts')
  const { file, asked } = carried()
  const path = placeFile(folder, file, UID)
  const elsewhere = join(tempFolder(t), 'same-bytes')
  writeFileSync(elsewhere, CONTENT)
  const lies: readonly (readonly [string, () => void])[] = [
    ...Array.from(CONTENT, (_, at) => {
      const flipped = Buffer.from(CONTENT)
      flipped[at]! ^= 1
      return [`byte ${at} flipped`, () => writeFileSync(path, flipped, { mode: 0o500 })] as const
    }),
    ['nothing in it', () => writeFileSync(path, '', { mode: 0o500 })],
    ['one byte more', () => writeFileSync(path, Buffer.concat([CONTENT, CONTENT.subarray(0, 1)]), { mode: 0o500 })],
    ['a link to the same bytes', () => symlinkSync(elsewhere, path)],
    [
      'a file that others may write',
      () => {
        writeFileSync(path, CONTENT)
        chmodSync(path, 0o522)
      },
    ],
  ]
  for (const [what, lay] of lies) {
    const before = asked()
    rmSync(path)
    lay()
    t.equal(placeFile(folder, file, UID), path, what)
    t.equal(asked(), before + 1, `${what}: written anew`)
    t.ok(lstatSync(path).isFile() && readFileSync(path).equals(CONTENT), `${what}: whole again`)
    t.equal(lstatSync(path).mode & 0o777, 0o500)
  }
  t.end()
})

t.test('a folder that others could change is refused, and nothing is put there', (t) => {
  const { file, asked } = carried()
  const above = tempFolder(t)
  const made = (mode: number): string => {
    const folder = mkdtempSync(join(above, 'parts-'))
    chmodSync(folder, mode)
    return folder
  }
  const place = (folder: string, uid = UID): string => refusal(() => placeFile(folder, file, uid))
  t.match(place(made(0o770)), /^RUNTIME_FOLDER_REFUSED others may write it \(mode 770\)/)
  t.match(place(made(0o702)), /^RUNTIME_FOLDER_REFUSED others may write it/)
  t.match(place(made(0o700), UID + 1), /^RUNTIME_FOLDER_REFUSED it belongs to user/)
  const link = join(above, 'link')
  symlinkSync(made(0o700), link)
  t.match(place(link), 'RUNTIME_FOLDER_REFUSED not a folder')
  writeFileSync(join(above, 'file'), '')
  t.match(place(join(above, 'file')), 'RUNTIME_FOLDER_REFUSED not a folder')
  t.match(place(join(above, 'missing', 'folder')), 'RUNTIME_FOLDER_REFUSED ENOENT')
  const open = join(above, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  t.match(place(join(open, 'parts')), /^RUNTIME_FOLDER_REFUSED others may write its parent/)
  chmodSync(open, 0o1777)
  t.match(place(join(open, 'parts')), /parts\/part-[0-9a-f]{16}\.node$/, 'as in a temporary folder')
  t.equal(asked(), 1)
  t.end()
})

t.test(
  'a folder of another user is refused, and so is one whose parent is',
  { skip: UID !== 0 && 'needs root' },
  (t) => {
    const { file } = carried()
    const above = tempFolder(t)
    const theirs = join(above, 'theirs')
    mkdirSync(theirs, { mode: 0o700 })
    chownSync(theirs, NOBODY, NOBODY)
    t.match(
      refusal(() => placeFile(theirs, file, UID)),
      `RUNTIME_FOLDER_REFUSED it belongs to user ${NOBODY}`,
    )
    t.match(
      refusal(() => placeFile(join(theirs, 'parts'), file, UID)),
      `RUNTIME_FOLDER_REFUSED its parent belongs to user ${NOBODY}`,
    )
    t.end()
  },
)

t.test('an executable that no longer carries what it was built with is refused, and nothing is written', (t) => {
  const folder = join(tempFolder(t), 'parts')
  const { file } = carried()
  const damaged = { ...file, bytes: () => Buffer.from('something else') }
  t.equal(
    refusal(() => placeFile(folder, damaged, UID)),
    'ADDON_DAMAGED',
  )
  t.same(readdirSync(folder), [])
  t.end()
})
