import type { GlyphName, Look } from './look.ts'

/** The character of dashboard.md 7.2 that a drawn glyph stands for; kept for search, tests and screen captures of text. */
const CHARACTERS: Readonly<Record<GlyphName, string>> = {
  triangle: '▲',
  diamond: '◆',
  square: '■',
  dot: '●',
  check: '✓',
  hourglass: '⧖',
  void: '⊘',
  filling: '…',
  clock: '⏲',
}

/**
 * A glyph drawn as a path, so that it is the same size and shape on every machine: half of the fonts in the field lack
 * `⧖`, and the others disagree about its weight. Always stands beside a word, so it is hidden from readers.
 */
export function Glyph({ name }: { name: GlyphName }) {
  return (
    <svg class="glyph" viewBox="0 0 12 12" aria-hidden="true" focusable="false" data-glyph={CHARACTERS[name]}>
      {shapeOf(name)}
    </svg>
  )
}

function shapeOf(name: GlyphName) {
  switch (name) {
    case 'triangle':
      return <path class="solid" d="M6 1 11.5 11H.5z" />
    case 'diamond':
      return <path class="solid" d="M6 .5 11.5 6 6 11.5.5 6z" />
    case 'square':
      return <path class="solid" d="M1.5 1.5h9v9h-9z" />
    case 'dot':
      return <circle class="solid" cx="6" cy="6" r="4.5" />
    case 'check':
      return <path class="line" d="M2.5 6.5 5 9l4.5-6" />
    case 'hourglass':
      return <path class="line" d="M2.5 1.5h7L2.5 10.5h7z" />
    case 'void':
      return <path class="line" d="M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M2.9 9.1 9.1 2.9" />
    case 'filling':
      return <path class="solid" d="M1 7.5h2v2H1zM5 7.5h2v2H5zM9 7.5h2v2H9z" />
    case 'clock':
      return <path class="line" d="M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M6 3.5V6l2 1.5" />
  }
}

/** A state as shape, word and colour. `suffix` carries a number that belongs to the word, as in `STALE 4.2 s`. */
export function Chip({
  look,
  suffix,
  pulse,
}: {
  look: Look
  suffix?: string | undefined
  pulse?: boolean | undefined
}) {
  return (
    <span class={`chip tone-${look.tone}${pulse ? ' pulse' : ''}`} title={look.meaning}>
      <Glyph name={look.glyph} />
      <span>{suffix ? `${look.text} ${suffix}` : look.text}</span>
    </span>
  )
}
