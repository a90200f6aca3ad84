import ts from 'typescript'

/** One departure from the style: where, which rule, and what to do instead. */
export type Untidy = Readonly<{ file: string; line: number; rule: string; message: string }>

type Report = (line: number, rule: string, message: string) => void

const FILE_LINES_MAX = 400
/** Nothing runs before it, so it cannot be cut into parts; it stays short instead. */
const BOOTSTRAP_LINES_MAX = 150
const FUNCTION_LINES_MAX = 60
/** Names that say nothing about what is inside, so that anything ends up there. */
const DRAWERS = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'managers', 'misc'])
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/
/** The words are written in halves: this file is looked at as well. */
const LEFTOVER = new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|XX${'X'})\\b`)
const MACHINE_PATH = new RegExp(`(?<![\\w.~])/(?:wo${'rk'}|ho${'me'}|ro${'ot'}|Us${'ers'})/\\w|/tm${'p'}/hb/`)
const REGISTRY = new RegExp(`registry\\.(npm${'js'}|yarn${'pkg'})`)
/** Configuration that a tool insists on importing as a default export. */
const CONFIG_FILE = /(^|\/)[a-z]+\.config\.ts$/

/** Where each kind of code may be; see the table of the style guide. */
const isPure = (file: string): boolean =>
  /^[a-z-]+\/core\//.test(file) || /^shared\/(model|math)\//.test(file) || file === 'shared/units.ts'
const mayUseClock = (file: string): boolean =>
  ['shared/lib/clock.ts', 'collector/dashboard/page-clock.ts'].includes(file) || /^(scripts|test)\//.test(file)
const isTest = (file: string): boolean => file.startsWith('test/')

const TIMERS = new Set(['setTimeout', 'setInterval'])
const CLOCK_READS = new Set(['Date.now', 'performance.now', 'process.hrtime'])
/** ECMAScript leaves the rest to the implementation: a decision could differ between builds of Node. */
const EXACT_MATH = new Set(['sqrt', 'abs', 'min', 'max', 'floor'])
const IMPURE_NAMES = new Set([
  'process',
  'Buffer',
  'globalThis',
  'crypto',
  'performance',
  'fetch',
  'Intl',
  'Date',
  'console',
])
const IMPURE_METHODS = new Set(['localeCompare', 'toLocaleString', 'toLocaleLowerCase', 'toLocaleUpperCase'])

/** Looks at any file of the project: its name and its text. */
export function checkText(file: string, text: string): Untidy[] {
  const found: Untidy[] = []
  const report: Report = (line, rule, message) => found.push({ file, line, rule, message })
  const lines = text.split('\n')
  lines.forEach((line, index) => {
    if (LEFTOVER.test(line)) report(index + 1, 'leftover', 'do it now, or open an issue')
    if (MACHINE_PATH.test(line))
      report(index + 1, 'machine-path', 'a path of one machine; derive it or make it a setting')
    if (REGISTRY.test(line)) report(index + 1, 'registry', 'the address of a package registry')
  })
  return found
}

/** Looks at one source file. `file` is its path in the project, by which the rules know what the place permits. */
export function checkSource(file: string, text: string): Untidy[] {
  const found: Untidy[] = []
  const report: Report = (line, rule, message) => found.push({ file, line, rule, message })
  checkName(file, report)
  const lines = text.trimEnd().split('\n').length
  const linesMax = file === 'scripts/bootstrap.mjs' ? BOOTSTRAP_LINES_MAX : FILE_LINES_MAX
  if (lines > linesMax) report(linesMax, 'file-size', `${lines} lines, at most ${linesMax}; one concept a file`)
  if (!/\.(ts|tsx|mjs)$/.test(file)) return found
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
  const lineOf = (node: ts.Node): number => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
  const visit = (node: ts.Node): void => {
    const at: Report = (_, rule, message) => report(lineOf(node), rule, message)
    checkFunctionSize(node, source, at)
    checkExports(file, node, at)
    if (!mayUseClock(file)) checkClock(node, at)
    if (isPure(file)) checkPure(node, at)
    if (isTest(file)) checkSkips(node, at)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function checkName(file: string, report: Report): void {
  for (const part of file.split('/')) {
    if (!KEBAB.test(part)) report(1, 'name', `${part} is not kebab-case`)
    const drawer = part.split(/[-.]/).find((word) => DRAWERS.has(word))
    if (drawer !== undefined) report(1, 'drawer', `"${drawer}" says nothing; name the concept`)
  }
}

function checkFunctionSize(node: ts.Node, source: ts.SourceFile, report: Report): void {
  if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
  const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line
  const lines = lineAt(node.getEnd()) - lineAt(node.getStart(source)) + 1
  if (lines > FUNCTION_LINES_MAX) report(0, 'function-size', `${lines} lines, at most ${FUNCTION_LINES_MAX}`)
}

function checkExports(file: string, node: ts.Node, report: Report): void {
  if (ts.isExportDeclaration(node) && node.exportClause === undefined) {
    report(0, 'export-star', 'name what is exported')
  }
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
  const isDefault = ts.isExportAssignment(node) || modifiers.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword)
  if (isDefault && !CONFIG_FILE.test(file)) report(0, 'default-export', 'export by name')
}

function checkClock(node: ts.Node, report: Report): void {
  const instead = 'only shared/lib/clock.ts reads time; take a Clock'
  if (ts.isPropertyAccessExpression(node) && CLOCK_READS.has(`${node.expression.getText()}.${node.name.text}`)) {
    report(0, 'clock', `${node.getText()}: ${instead}`)
  }
  if (ts.isIdentifier(node) && TIMERS.has(node.text) && isReference(node))
    report(0, 'clock', `${node.text}: ${instead}`)
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments ?? []).length === 0) {
    report(0, 'clock', `new Date(): ${instead}`)
  }
  if (ts.isImportDeclaration(node) && /^(node:)?timers/.test(moduleOf(node))) report(0, 'clock', `timers: ${instead}`)
}

function checkPure(node: ts.Node, report: Report): void {
  if (ts.isImportDeclaration(node) && moduleOf(node).startsWith('node:')) {
    report(0, 'pure', `${moduleOf(node)}: no Node modules here; pass in what it gives`)
  }
  if (ts.isPropertyAccessExpression(node)) {
    const { text } = node.name
    if (node.expression.getText() === 'Math' && !EXACT_MATH.has(text)) report(0, 'pure', `Math.${text} is not exact`)
    if (IMPURE_METHODS.has(text)) report(0, 'pure', `${text} depends on the locale; compare by code unit`)
  }
  if (ts.isIdentifier(node) && node.text === 'Math' && !ts.isPropertyAccessExpression(node.parent)) {
    report(0, 'pure', 'Math only as Math.NAME')
  }
  if (ts.isIdentifier(node) && IMPURE_NAMES.has(node.text) && isReference(node)) {
    report(0, 'pure', `${node.text}: no clock, IO or environment here`)
  }
  const { kind } = node
  if (kind === ts.SyntaxKind.AsteriskAsteriskToken || kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken) {
    report(0, 'pure', '** is not exact')
  }
  if (kind === ts.SyntaxKind.AsyncKeyword || kind === ts.SyntaxKind.AwaitExpression) {
    report(0, 'pure', 'nothing here waits; return an effect')
  }
}

/** A test that is skipped for a stated reason found at run time is honest; one that is always skipped is gone. */
function checkSkips(node: ts.Node, report: Report): void {
  const message = 'a test that never runs; repair or remove it'
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { expression, name } = node.expression
    if (['skip', 'todo', 'only'].includes(name.text) && /^(t|test)$/.test(expression.getText())) {
      report(0, 'skipped-test', `${node.expression.getText()}: ${message}`)
    }
  }
  if (!ts.isPropertyAssignment(node) || !['skip', 'todo', 'only'].includes(node.name.getText())) return
  const always = ts.isStringLiteralLike(node.initializer) || node.initializer.kind === ts.SyntaxKind.TrueKeyword
  if (always && isOptionOfTest(node)) report(0, 'skipped-test', `${node.getText()}: ${message}`)
}

function isOptionOfTest(node: ts.PropertyAssignment): boolean {
  const call = node.parent.parent
  return ts.isCallExpression(call) && /^(t|test)(\.test)?$/.test(call.expression.getText())
}

/** Whether an identifier stands for the global itself, not for a property, key or parameter of that name. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent) || ts.isImportSpecifier(parent)) return false
  return !('name' in parent && parent.name === node)
}

function moduleOf(node: ts.ImportDeclaration): string {
  return ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : ''
}
