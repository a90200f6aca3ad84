/** An element of XML: its attributes, and what is inside in order. */
export type Xml = Readonly<{ name: string; attributes: Readonly<Record<string, string>>; children: (Xml | string)[] }>

/** What XML 1.0 lets a file hold. */
const CHARACTERS = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u
const TOKEN = /<\?xml [^?]*\?>|<\/([\w-]+)>|<([\w-]+)((?:\s+[\w-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy
const REFERENCES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Reads the XML that a report has: elements, attributes, text. Throws at the first thing that is not well-formed. */
export function parseXml(text: string): Xml {
  if (!CHARACTERS.test(text)) throw new Error('a character that XML does not have')
  const top: Xml = { name: '', attributes: {}, children: [] }
  const open: Xml[] = [top]
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex
    const token = TOKEN.exec(text)
    if (token === null) throw new Error(`not well-formed at ${at}: ${text.slice(at, at + 60)}`)
    const [, closed, opened, attributes, isEmpty, inside] = token
    const parent = open.at(-1)!
    if (closed !== undefined && open.pop()?.name !== closed) throw new Error(`</${closed}> closes another element`)
    if (inside !== undefined && !(parent === top && inside.trim() === '')) parent.children.push(decoded(inside))
    if (opened === undefined) continue
    const element: Xml = { name: opened, attributes: attributesOf(attributes ?? ''), children: [] }
    parent.children.push(element)
    if (isEmpty === '') open.push(element)
  }
  if (open.length !== 1 || top.children.length !== 1) throw new Error('not one whole element')
  return top.children[0] as Xml
}

/** Elements inside, by name; all of them without one. */
export function elements({ children }: Xml, name?: string): Xml[] {
  return children.filter(
    (child): child is Xml => typeof child !== 'string' && (name === undefined || child.name === name),
  )
}

/** All text inside of one element. */
export function textOf({ children }: Xml): string {
  return children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('')
}

function attributesOf(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [, name, value] of text.matchAll(/([\w-]+)="([^"]*)"/g)) {
    if (Object.hasOwn(found, name!)) throw new Error(`attribute ${name} twice`)
    found[name!] = decoded(value!)
  }
  return found
}

function decoded(text: string): string {
  return text.replace(/&([^;]*);?/g, (whole, name: string) => {
    if (/^#\d+$/.test(name) && whole.endsWith(';')) return String.fromCodePoint(Number(name.slice(1)))
    const character = REFERENCES[name]
    if (character === undefined || !whole.endsWith(';')) throw new Error(`not a reference: ${whole}`)
    return character
  })
}
