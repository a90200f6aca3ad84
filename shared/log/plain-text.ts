/** Longest foreign or composed text that is handed on; the rest is cut, so that nobody can fill a log or a mailbox. */
export const PLAIN_TEXT_MAX = 512

/**
 * Text on one line: control characters (line breaks, escape sequences, marks that turn the writing direction) become
 * blanks, so that foreign text cannot pass for a line or a header of ours.
 */
export function plainText(text: string, max = PLAIN_TEXT_MAX): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim()
  return line.length > max ? `${line.slice(0, max)}…` : line
}
