/** The plot ends at twice what is allowed; a value beyond runs along its upper edge. */
const RATIO_TOP = 2
const WIDTH = 240
const HEIGHT = 30

/**
 * One minute of a rig's worst ratio to what is allowed. The dashed line is the edge (1×); a hole in the line is a time
 * about which nothing is known. Points that are outside are drawn heavier, so that they show without colour.
 */
export function Sparkline({ history, pointsMax }: { history: readonly (number | null)[]; pointsMax: number }) {
  const x = (i: number) => WIDTH - ((history.length - 1 - i) * WIDTH) / (pointsMax - 1)
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <line class="spark-edge" x1="0" x2={WIDTH} y1={yOf(1)} y2={yOf(1)} />
      <path class="spark-line" d={pathOf(history, x, () => true)} />
      <path class="spark-out" d={pathOf(history, x, (ratio) => ratio >= 1)} />
    </svg>
  )
}

function yOf(ratio: number): number {
  return HEIGHT - 2 - (Math.min(RATIO_TOP, Math.max(0, ratio)) / RATIO_TOP) * (HEIGHT - 4)
}

function pathOf(
  history: readonly (number | null)[],
  x: (i: number) => number,
  drawn: (ratio: number) => boolean,
): string {
  let path = ''
  let pen = 'M'
  history.forEach((ratio, i) => {
    if (ratio === null || !drawn(ratio)) {
      pen = 'M'
      return
    }
    // A point on its own gets a dot's length, or it would not be drawn at all.
    path += `${pen}${x(i).toFixed(1)} ${yOf(ratio).toFixed(1)}${pen === 'M' ? 'h0.1' : ''}`
    pen = 'L'
  })
  return path
}
