import type { CheckedFile, Path, Place } from '../../shared/config/document.ts'
import type { Problem } from '../../shared/config/problems.ts'
import { RIG_PARTS } from './rig-schema.ts'

/** Problems of one row, each where its cause stands: in the scenario, in its matrix, or in the file of its rig. */
export class Notes {
  readonly problems: Problem[] = []
  readonly file: CheckedFile
  /** The file beneath; null while it is not known. */
  rig: CheckedFile | null = null
  private readonly moved: ReadonlyMap<string, Path>

  /** `moved`: where values come from that the matrix puts in, by {@link pathKey} of where they are put. */
  constructor(file: CheckedFile, moved: ReadonlyMap<string, Path> = new Map()) {
    this.file = file
    this.moved = moved
  }

  add(path: Path, found: string, expected: string, hint?: string): void {
    this.problems.push({ ...this.place(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }

  /** What was found by somebody who knows keys alone, as `params.orifice`, below a path. */
  addAll(
    path: Path,
    problems: readonly Readonly<{ key: string; found: string; expected: string; hint?: string }>[],
  ): void {
    for (const { key, found, expected, hint } of problems)
      this.add([...path, ...(key === '' ? [] : key.split('.'))], found, expected, hint)
  }

  /** Whether the matrix puts in the value at a path. */
  isFromMatrix(path: Path): boolean {
    return this.moved.has(pathKey(path))
  }

  private place(path: Path): Place {
    const matrix = this.moved.get(pathKey(path))
    if (matrix !== undefined) return this.file.at(matrix)
    const rig = Object.hasOwn(RIG_PARTS, String(path[0])) ? this.rig : null
    if (rig === null || this.file.has(path)) return this.file.at(path)
    // What is missing belongs to where the rest of it stands.
    const parent = path.slice(0, -1)
    const isOfRig = rig.has(path) || (rig.has(parent) && !(parent.length > 0 && this.file.has(parent)))
    return isOfRig ? rig.at(path) : this.file.at(path)
  }
}

export function pathKey(path: Path): string {
  return JSON.stringify(path)
}
