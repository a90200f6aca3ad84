/**
 * A topic filter that a source may subscribe to: `+` is one level, `#` at the end all below. Not topics of the broker
 * itself (`$SYS/…`) and no shared subscriptions (`$share/…`): of those everybody gets a part only.
 */
export const TOPIC_FILTER_PATTERN = '^(?!\\$)(?:(?:\\+|[^+#/\\u0000]*)/)*(?:\\+|#|[^+#/\\u0000]+)$'
/** Characters of a topic or filter. */
export const TOPIC_MAX = 256

/** Tells whether something is one topic, without wildcards. */
export function isTopic(text: string): boolean {
  return text.length <= TOPIC_MAX && /^[^$+#\0][^+#\0]*$/.test(text)
}

/** Tells whether messages of `topic` come to a subscription to `filter`. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (const [k, level] of wanted.entries()) {
    // `#` is also the level above: `a/#` has `a`.
    if (level === '#') return true
    if (k >= levels.length || (level !== '+' && level !== levels[k])) return false
  }
  return wanted.length === levels.length
}
