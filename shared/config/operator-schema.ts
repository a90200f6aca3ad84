import { Type } from 'typebox'
import { REALMS } from '../model/realm.ts'
import { closed, file, id, oneOf, REALM_TEXT } from './schema-parts.ts'

/** People whose keys are trusted in one place. */
export const OPERATORS_MAX = 64

/** Who may say something about baselines. Used by every file that names them. */
export const OperatorsSchema = Type.Array(
  closed({
    name: id('Name of a person.'),
    public_key_file: file('Ed25519 public key in PEM that their statements are signed with; no other person has it.'),
  }),
  {
    description:
      'People whose statements about baselines are believed. With none every baseline is a draft, which never arms anything.',
    default: [],
    maxItems: OPERATORS_MAX,
  },
)

const approval = {
  require_approval: Type.Boolean({
    default: true,
    description: 'Whether a baseline must be approved before it counts; anything but `true` is a mistake.',
  }),
  approvals_required: Type.Integer({
    minimum: 1,
    maximum: 8,
    default: 1,
    description: 'People who must approve, beside the one who proposed and the one who reviewed.',
  }),
  approvers: Type.Array(id('Name of an operator.'), {
    description: 'Operators who may approve; empty: all of them.',
    default: [],
    maxItems: OPERATORS_MAX,
  }),
}

/** The predecessor's `governance`: what an approval takes. */
export const ApprovalSchema = closed(approval, 'What it takes to approve a baseline.')

/** The same for those who rely on baselines, and so say what their gates must at least have asked for. */
export const GovernanceSchema = closed(
  {
    ...approval,
    quality_policy_file: Type.Optional(
      file(
        '`baseline_quality_policy.yaml` with what the gate of a baseline must at least have asked for; without it the defaults. A baseline whose own policy is laxer anywhere did not pass.',
      ),
    ),
  },
  'What it takes to approve a baseline.',
)

/** `operators.yaml` beside a book of baselines that has no collector. */
export const BookOperatorsSchema = closed({
  version: Type.Literal(1, { description: 'Version of this file.' }),
  realm: oneOf(REALMS, REALM_TEXT, 'production'),
  operators: OperatorsSchema,
  governance: GovernanceSchema,
})
