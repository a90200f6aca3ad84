import ts from 'typescript'

/** One small change to one file. */
export type Mutant = Readonly<{
  id: number
  file: string
  /** Place of the text that is replaced. */
  start: number
  end: number
  line: number
  /** What kind of mistake it stands for. */
  kind: string
  was: string
  now: string
}>

type Put = (node: ts.Node, kind: string, now: string) => void

/** What each operator is mistaken for: the neighbour at the limit, and the opposite. */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '+=': ['-='],
  '-=': ['+='],
  '*=': ['/='],
  '??=': ['='],
}
/** Methods that are mistaken for each other. */
const METHODS: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  filter: 'slice',
}

/** All changes that one file is tried with, in the order of its text. Types and imports are left alone: they do nothing. */
export function mutantsOf(file: string, text: string, firstId: number): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
  const found: Mutant[] = []
  const put: Put = (node, kind, now) => {
    const [start, end] = [node.getStart(source), node.getEnd()]
    const line = source.getLineAndCharacterOfPosition(start).line + 1
    found.push({ id: firstId + found.length, file, start, end, line, kind, was: text.slice(start, end), now })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return
    if (ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) return
    mutateExpression(node, put)
    mutateStatement(node, put)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function mutateExpression(node: ts.Node, put: Put): void {
  if (ts.isBinaryExpression(node)) {
    const { operatorToken } = node
    for (const other of OPERATORS[operatorToken.getText()] ?? []) put(operatorToken, 'operator', other)
  } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    put(node, 'negation', node.operand.getText())
  } else if (ts.isConditionalExpression(node)) {
    const { condition, whenTrue, whenFalse } = node
    put(node, 'branches', `(${condition.getText()}) ? (${whenFalse.getText()}) : (${whenTrue.getText()})`)
  } else if (ts.isNumericLiteral(node)) {
    put(node, 'constant', node.text === '0' ? '1' : node.text === '1' ? '0' : `(${node.getText()} + 1)`)
  } else if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
    put(node, 'constant', node.kind === ts.SyntaxKind.TrueKeyword ? 'false' : 'true')
  } else if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent)) {
    const other = METHODS[node.name.text]
    if (other !== undefined && node.parent.expression === node) put(node.name, 'method', other)
  } else if (ts.isArrayLiteralExpression(node)) {
    for (const element of node.elements) if (ts.isSpreadElement(element)) put(element, 'part', '')
  }
}

function mutateStatement(node: ts.Node, put: Put): void {
  if (ts.isIfStatement(node)) {
    put(node.expression, 'condition', 'true')
    put(node.expression, 'condition', 'false')
  } else if (ts.isExpressionStatement(node)) put(node, 'statement', ';')
  else if (ts.isContinueStatement(node) || ts.isBreakStatement(node)) put(node, 'statement', ';')
  else if (ts.isReturnStatement(node) && ts.isIfStatement(node.parent)) put(node, 'statement', ';')
}

/** The file with the change in it. */
export function mutated(text: string, { start, end, now }: Mutant): string {
  return `${text.slice(0, start)} ${now} ${text.slice(end)}`
}
