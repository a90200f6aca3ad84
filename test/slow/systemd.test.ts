import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { killAll, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'

/** Receives what a service manager would, in Perl: Node has no datagram sockets of the file system. */
const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
bind($s, pack_sockaddr_un($ARGV[0])) or die "bind: $!";
print "bound\\n";
while (defined recv($s, my $told, 4096, 0)) { print "$told\\n" }
`
const WATCHED_MS = 2000

// verifies SE-33
t.test('what the program of systemd hands on comes as datagrams: ready, alive, the end', async (t) => {
  const folder = await createBenchFolder()
  const path = join(folder.path, 'notify.sock')
  const receiver: ChildProcess = spawn('perl', ['-e', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => {
    killAll()
    receiver.kill('SIGKILL')
    folder.remove()
  })
  const told: string[] = []
  let heard = (): void => undefined
  createInterface({ input: receiver.stdout! }).on('line', (line) => {
    told.push(line)
    heard()
  })
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      receiver.once('error', reject)
      heard = () => holds() && resolve()
      heard()
    })
  await until(() => told.includes('bound'))
  process.env['NOTIFY_SOCKET'] = path
  process.env['WATCHDOG_USEC'] = String(WATCHED_MS * 1000)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(200) }))
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  await until(() => told.filter((line) => line === 'WATCHDOG=1').length >= 3)
  t.equal(await agent.stop(), 0)
  await until(() => told.includes('STOPPING=1'))
  // A barrier of the program itself may come between.
  const words = told.filter((line) => /^(READY|WATCHDOG|STOPPING)=1$/.test(line))
  t.equal(words[0], 'READY=1')
  t.equal(words.lastIndexOf('READY=1'), 0)
  t.equal(words.at(-1), 'STOPPING=1')
})
