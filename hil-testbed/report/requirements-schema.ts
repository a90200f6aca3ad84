import { Type } from 'typebox'
import { closed, oneOf } from '../../shared/config/schema-parts.ts'

/** What is worse of a hazard: that the protection does not act, that it acts unasked, or neither may be. */
export const MUST_DECISIONS = ['work', 'not_work', 'both'] as const

export const REQUIREMENT_PATTERN = '^REQ-[A-Z]{3}-[0-9]{3}$'
export const HAZARD_PATTERN = '^HAZ-[0-9]{3}$'
/** SE-nn and AL-n are listed with the tests of the action and the alarm engine. */
export const LISTED_ELSEWHERE = /^(SE-[0-9]{2}|AL-[0-9]{1,2})$/
export const REQUIREMENTS_MAX = 1000
const NAMES_MAX = 100

const text = (description: string) => Type.String({ minLength: 1, maxLength: 500, description })
const names = (item: ReturnType<typeof Type.String>, description: string) =>
  Type.Array(item, { description, maxItems: NAMES_MAX, default: [] })
const requirementId = Type.String({ pattern: REQUIREMENT_PATTERN, form: 'REQ-, three letters, three digits' })

/** `requirements.yaml` of the bench. */
export const RequirementsSchema = closed({
  requirements_version: Type.Unsafe<1>(Type.Literal(1, { description: 'Version of this format.' })),
  sources: Type.Array(
    closed({
      id: Type.String({ pattern: '^[A-Z][A-Z0-9-]{0,15}$', form: 'up to 16 of A-Z, 0-9 and `-`' }),
      text: text('What it asks for.'),
      left_out: Type.Optional(text('Why no requirement comes of it.')),
    }),
    { description: 'Where requirements come from, beside SE-nn and AL-n.', maxItems: REQUIREMENTS_MAX, default: [] },
  ),
  hazards: Type.Array(
    closed({
      id: Type.String({ pattern: HAZARD_PATTERN, form: 'HAZ- and three digits' }),
      text: text('What must not happen.'),
      must: Type.Optional(
        oneOf(
          MUST_DECISIONS,
          'What is worse. `work`: that the protection does not act. `not_work`: that it acts unasked. `both`: neither may be.',
        ),
      ),
      why: Type.Optional(text('Why it was decided so.')),
      controlled_by: names(requirementId, 'Requirements that control it.'),
    }),
    { description: 'What the requirements protect from.', maxItems: REQUIREMENTS_MAX, default: [] },
  ),
  requirements: Type.Array(
    closed({
      id: requirementId,
      text: text('What must be so.'),
      source: names(Type.String({ minLength: 1, maxLength: 16 }), 'Of what it comes: ids of `sources`, SE-nn, AL-n.'),
      rules: names(Type.String({ minLength: 1, maxLength: 64 }), 'Ids of rules in policies of the rigs.'),
      shown_by: names(
        Type.String({ minLength: 1, maxLength: 300 }),
        'Files of the project that show what no scenario can, each of which names the id.',
      ),
    }),
    { description: 'What the bench shows.', maxItems: REQUIREMENTS_MAX, default: [] },
  ),
})
