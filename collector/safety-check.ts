import type { SqlReader } from '../shared/sqlite/database.ts'
import { safetyFacts } from './core/safety-view.ts'

const PAGE = 1_000
const HAS_TABLE = `SELECT 1 AS one FROM sqlite_schema WHERE type = 'table' AND name = 'safety_state'`
/** Things of which the newest record is not the one that is remembered, or that no record is about. */
const ASTRAY = `SELECT count(*) AS n FROM (
    SELECT agent, rig, about, max(seq) AS seq FROM decisions WHERE kind = 'safety' AND about IS NOT NULL
    GROUP BY agent, rig, about
  ) n FULL OUTER JOIN safety_state s ON s.agent = n.agent AND s.rig = n.rig AND s.about = n.about
  WHERE s.seq IS NOT n.seq`
const NEXT_PAGE = `SELECT s.*, d.body, d.time_us AS said_us FROM safety_state s
  JOIN decisions d ON d.agent = s.agent AND d.seq = s.seq
  WHERE (s.agent, s.rig, s.about) > (?, ?, ?) ORDER BY s.agent, s.rig, s.about LIMIT ${PAGE}`

/**
 * Whether what is remembered of actions, armings, bypasses and alarms is what the newest record about each says. Those
 * records themselves are held against their batches.
 *
 * @returns what is wrong; nothing for a database that no newer collector has opened yet.
 */
export async function checkSafety(db: SqlReader): Promise<string[]> {
  if ((await db.get(HAS_TABLE)) === undefined) return []
  const found: string[] = []
  const astray = Number((await db.get(ASTRAY))?.['n'] ?? 0)
  if (astray > 0) found.push(`${astray} are not of the newest record`)
  let at = ['', '', '']
  for (;;) {
    const page = await db.all(NEXT_PAGE, at)
    for (const row of page) {
      const { says } = JSON.parse(row['body'] as string) as { says: Parameters<typeof safetyFacts>[0] }
      const facts = safetyFacts(says)
      const isSame =
        facts !== null &&
        facts.about === row['about'] &&
        facts.state === row['state'] &&
        Number(facts.stands) === row['stands'] &&
        row['said_us'] === row['time_us']
      if (!isSame) found.push(`${String(row['agent'])}:${String(row['seq'])} is not remembered as it was signed`)
    }
    const last = page.at(-1)
    if (last === undefined) return found
    at = [last['agent'], last['rig'], last['about']] as string[]
  }
}
