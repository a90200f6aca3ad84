import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { listFiles, ROOT } from '../../../scripts/sources.ts'

/** Ways through one function, at most (SE-43). */
const COMPLEXITY_MAX = 15
const KERNEL = 'agent/core/safety'

type Shape = { name: string; complexity: number }

/** Cyclomatic complexity of each function of a source; what is nested in one counts for itself. */
function shapesOf(text: string): Shape[] {
  const shapes: Shape[] = []
  const visit = (node: ts.Node, inside: Shape | null): void => {
    const shape = ts.isFunctionLike(node) && 'body' in node && node.body !== undefined ? shapeOf(node) : inside
    if (shape !== null && shape !== inside) shapes.push(shape)
    else if (shape !== null && isFork(node)) shape.complexity += 1
    ts.forEachChild(node, (child) => visit(child, shape))
  }
  visit(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true), null)
  return shapes
}

function shapeOf(node: ts.Node): Shape {
  const { name } = node as ts.FunctionDeclaration
  return { name: name?.getText() ?? '(arrow)', complexity: 1 }
}

function isFork(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken
    return [
      ts.SyntaxKind.AmpersandAmpersandToken,
      ts.SyntaxKind.BarBarToken,
      ts.SyntaxKind.QuestionQuestionToken,
    ].includes(kind)
  }
  return (
    ts.isIfStatement(node) ||
    ts.isConditionalExpression(node) ||
    ts.isCaseClause(node) ||
    ts.isForStatement(node) ||
    ts.isForOfStatement(node) ||
    ts.isForInStatement(node) ||
    ts.isWhileStatement(node) ||
    ts.isDoStatement(node) ||
    ts.isCatchClause(node)
  )
}

const files = listFiles(KERNEL).map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))

// verifies SE-43
t.test('no function of the kernel has more than fifteen ways through it', (t) => {
  const [counted] = shapesOf(
    'function f(a, b) { if (a && b) { for (const c of a) b ||= c ? 1 : 2 } return () => (a ? 1 : 2) }',
  )
  t.same(counted, { name: 'f', complexity: 5 })
  const shapes = files.flatMap(({ file, text }) => shapesOf(text).map((shape) => ({ file, ...shape })))
  t.ok(shapes.length > 100, `${shapes.length} functions`)
  t.same(
    shapes.filter(({ complexity }) => complexity > COMPLEXITY_MAX),
    [],
  )
  t.end()
})

// verifies SE-43
t.test('the kernel takes nothing from outside but vocabulary, units and assertions', (t) => {
  t.ok(files.length > 10)
  for (const { file, text } of files) {
    const imported = [...text.matchAll(/^(?:import|export)\b[^']*?from '([^']+)'/gms)].map(([, from]) => from!)
    t.same(
      imported.filter(
        (from) => !/^\.\/[a-z-]+\.ts$|^\.\.\/\.\.\/\.\.\/shared\/(model\/[a-z-]+|units|lib\/assert)\.ts$/.test(from),
      ),
      [],
      file,
    )
  }
  t.end()
})
