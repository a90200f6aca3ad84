import { readdirSync, readFileSync } from 'node:fs'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import type { HostSourceConfig } from '../../shared/config/types.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros } from '../../shared/units.ts'
import type { TelemetrySource } from '../ports.ts'

/** Thermal sensors read at most; a server has dozens. */
const TEMPERATURES_MAX = 32

export type HostSourceOptions = Readonly<{
  rig: string
  config: HostSourceConfig
  clock: Clock
  epoch: string /** Where `/proc` and `/sys` stand; another place in tests. */
  root?: string
}>

/** The sensors of this machine, from `proc(5)` and, where they exist, hwmon and thermal zones. What is not there is left out. */
export function createHostSource({ rig, config, clock, epoch, root = '' }: HostSourceOptions): TelemetrySource {
  let cancel = (): void => {}
  return {
    name: config.name,
    async start(sink) {
      const read = createHostReader(root)
      read(clock.monotonicUs())
      let seq = 0
      cancel = clock.every(config.every_ms, () => {
        const readings = read(clock.monotonicUs())
        if (readings.size === 0) return
        const timeUs = Float64Array.of(clock.nowUs())
        const message = encodeFrame({
          rig,
          source: config.name,
          epoch,
          seq,
          channels: [...readings.keys()],
          cid: null,
          timeUs,
          value: Float64Array.from(readings.values()),
        })
        seq += 1
        void sink.deliver({ rig, origin: config.name, encoding: 'cbor', provenance: 'live', messages: [message] })
      })
    },
    async stop() {
      cancel()
    },
  }
}

type Counters = Readonly<{
  atUs: Micros
  cpuBusy: number
  cpuTotal: number
  disk: readonly [number, number] | null
  net: readonly [number, number] | null
}>

/** Readings by channel name. Rates are over the time since the last reading, so the first one has none. */
export function createHostReader(root: string): (monotonicUs: Micros) => Map<string, number> {
  let before: Counters | null = null
  return (atUs) => {
    const readings = new Map<string, number>()
    const put = (name: string, value: number | null | undefined): void => {
      if (value !== null && value !== undefined && Number.isFinite(value)) readings.set(name, value)
    }
    const now: Counters = { atUs, ...cpuCounters(root), disk: diskBytes(root), net: netBytes(root) }
    put('load_1m', numberIn(text(`${root}/proc/loadavg`)?.split(' ')[0]))
    const memory = memoryBytes(root)
    put('mem_available_ratio', memory === null ? null : memory.available / memory.total)
    if (before !== null) {
      const seconds = (atUs - before.atUs) / 1_000_000
      const total = now.cpuTotal - before.cpuTotal
      // The kernel's count of waiting for IO may go back a little; the share itself never leaves 0..1.
      put('cpu_busy_ratio', total > 0 ? Math.min(1, Math.max(0, (now.cpuBusy - before.cpuBusy) / total)) : null)
      for (const [name, k] of [
        ['disk_read', 0],
        ['disk_write', 1],
      ] as const)
        put(`${name}_bytes_per_s`, rate(before.disk, now.disk, k, seconds))
      for (const [name, k] of [
        ['net_rx', 0],
        ['net_tx', 1],
      ] as const)
        put(`${name}_bytes_per_s`, rate(before.net, now.net, k, seconds))
    }
    for (const [name, celsius] of temperatures(root)) put(name, celsius)
    before = now
    return readings
  }
}

function rate(
  before: readonly [number, number] | null,
  now: readonly [number, number] | null,
  k: 0 | 1,
  seconds: number,
): number | null {
  // A counter that went back was reset; what it counted meanwhile is not known.
  if (before === null || now === null || !(seconds > 0) || now[k] < before[k]) return null
  return (now[k] - before[k]) / seconds
}

/** First line of `/proc/stat`: ticks since boot by what they were spent on; idle and waiting for IO are not busy. */
function cpuCounters(root: string): { cpuBusy: number; cpuTotal: number } {
  const ticks = (text(`${root}/proc/stat`)?.split('\n', 1)[0] ?? '').split(/\s+/).slice(1, 9).map(Number)
  const cpuTotal = ticks.reduce((sum, n) => sum + n, 0)
  return { cpuTotal, cpuBusy: cpuTotal - (ticks[3] ?? 0) - (ticks[4] ?? 0) }
}

function memoryBytes(root: string): { total: number; available: number } | null {
  const info = text(`${root}/proc/meminfo`)
  const kib = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(info ?? '')?.[1] ?? Number.NaN)
  const [total, available] = [kib('MemTotal') * 1024, kib('MemAvailable') * 1024]
  return total > 0 && available >= 0 ? { total, available } : null
}

const SECTOR_BYTES = 512

/** Whole disks of `/proc/diskstats`: fields 6 and 10 are sectors of 512 bytes. */
function diskBytes(root: string): readonly [number, number] | null {
  const lines = text(`${root}/proc/diskstats`)?.trim().split('\n') ?? []
  let [read, written, disks] = [0, 0, 0]
  for (const line of lines) {
    const fields = line.trim().split(/\s+/)
    if (!/^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(fields[2] ?? '')) continue
    read += Number(fields[5]) * SECTOR_BYTES
    written += Number(fields[9]) * SECTOR_BYTES
    disks += 1
  }
  return disks === 0 ? null : [read, written]
}

/** Bytes of all interfaces but loopback. */
function netBytes(root: string): readonly [number, number] | null {
  const lines = text(`${root}/proc/net/dev`)?.trim().split('\n').slice(2) ?? []
  let [received, sent, interfaces] = [0, 0, 0]
  for (const line of lines) {
    const [name, rest] = line.split(':')
    if (rest === undefined || name?.trim() === 'lo') continue
    const fields = rest.trim().split(/\s+/).map(Number)
    received += fields[0] ?? 0
    sent += fields[8] ?? 0
    interfaces += 1
  }
  return interfaces === 0 ? null : [received, sent]
}

/** `temp_<chip>_<n>` of hwmon, or `temp_zone<n>` of thermal zones when there is no hwmon, in °C. */
function temperatures(root: string): [string, number][] {
  const found: [string, number][] = []
  for (const chip of names(`${root}/sys/class/hwmon`)) {
    for (const file of names(`${root}/sys/class/hwmon/${chip}`)) {
      if (/^temp\d+_input$/.test(file))
        found.push([
          `temp_${chip}_${file.slice(4, -6)}`,
          numberIn(text(`${root}/sys/class/hwmon/${chip}/${file}`)) / 1000,
        ])
    }
  }
  if (found.length === 0) {
    for (const zone of names(`${root}/sys/class/thermal`)) {
      if (/^thermal_zone\d+$/.test(zone))
        found.push([`temp_${zone.slice(8)}`, numberIn(text(`${root}/sys/class/thermal/${zone}/temp`)) / 1000])
    }
  }
  return found.slice(0, TEMPERATURES_MAX)
}

/** A sensor that does not answer reads as nothing at all, and `Number('')` would make that 0. */
function numberIn(written: string | null | undefined): number {
  const trimmed = written?.trim() ?? ''
  return trimmed === '' ? Number.NaN : Number(trimmed)
}

function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A sensor that is not there, or not for this user: the channel is left out.
    return null
  }
}

function names(path: string): string[] {
  try {
    return readdirSync(path).sort()
  } catch {
    // No such class of sensors on this machine.
    return []
  }
}
