/** Names of agents, rigs, programs and sources: they stand in file names, topics and certificates. */
export const ID_PATTERN = '^[a-z0-9][a-z0-9-]{0,62}$'
/** Channel and metric names, as rigs write them: printable, no control characters, no surrounding blanks. */
export const CHANNEL_NAME_MAX = 128

const ID = new RegExp(ID_PATTERN)

/** Tells whether text may be used as the id of an agent, rig, program or source. */
export function isId(text: string): boolean {
  return ID.test(text)
}

/** Tells whether text may be used as a channel name: 1 to 128 characters, none of them a control character. */
export function isChannelName(text: string): boolean {
  if (text.length === 0 || text.length > CHANNEL_NAME_MAX || text !== text.trim()) return false
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return false
  }
  return true
}
