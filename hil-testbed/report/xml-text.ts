/** Characters that no XML 1.0 file may hold, not even as a reference: they are written as `\uXXXX`, which people can read. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
}

/** Any text as the content of an element. */
export function xmlText(text: string): string {
  return plain(text).replace(/[&<>\r]/g, (character) => ENTITIES[character]!)
}

/** One element. Attributes that are null are left out; `inside` is XML already. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | null>>,
  inside: readonly string[] = [],
): string {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === null ? [] : [` ${key}="${attribute(String(value))}"`],
  )
  const open = `<${name}${given.join('')}`
  return inside.length === 0 ? `${open}/>` : `${open}>${inside.join('')}</${name}>`
}

function attribute(text: string): string {
  return plain(text).replace(/[&<>"\n\r\t]/g, (character) => ENTITIES[character]!)
}

function plain(text: string): string {
  return text.replace(FORBIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
