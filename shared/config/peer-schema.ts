import { type Static, Type } from 'typebox'
import { HTTP_URL_PATTERN } from './executor-schema.ts'
import { closed, file, id, ms } from './schema-parts.ts'
import { ENDPOINT_PATTERN } from './source-schema.ts'

const LOOPBACK = '127.0.0.1'

/** Who runs the plant: what it is told, and what it may tell. Exactly one of `zmq` and `webhook` says how. */
export const PeerSchema = closed(
  {
    identity: id('Name of the peer: the only `system_id` whose messages count.'),
    key_file: file('Key shared with the peer alone: 64 hex digits; readable by its owner only.'),
    zmq: Type.Optional(
      closed(
        {
          endpoint: Type.String({
            pattern: ENDPOINT_PATTERN,
            form: 'tcp://HOST:PORT or ipc://PATH',
            description: 'Where the ROUTER of the peer listens. Frames are authenticated, not encrypted.',
          }),
        },
        'Both ways over one ZeroMQ connection that the agent makes.',
      ),
    ),
    webhook: Type.Optional(
      closed(
        {
          url: Type.String({
            pattern: HTTP_URL_PATTERN,
            form: 'https://HOST/PATH; http:// on this machine alone',
            description: 'Where messages are posted; redirects are not followed.',
          }),
          ca_file: Type.Optional(file('Certificate authority to trust instead of those of the system.')),
          listen_host: Type.String({
            minLength: 1,
            default: LOOPBACK,
            description: 'Address to listen on for what the peer posts to `/peer`: signed, not encrypted.',
          }),
          listen_port: Type.Integer({
            minimum: 0,
            maximum: 65_535,
            default: 9465,
            description: 'Port of it; 0 takes any free one.',
          }),
        },
        'JSON over HTTP, both ways, signed with the key.',
      ),
    ),
    timeout_ms: ms('Longest wait for the peer to take one message.', { minimum: 100, maximum: 60_000, default: 2000 }),
    health_every_ms: ms('Longest time between two HEALTH_EVENTs of a rig that is decided about.', {
      minimum: 250,
      maximum: 3_600_000,
      default: 5000,
    }),
  },
  'The system that runs the plant and carries actions out (`docs/operating/peer.md`). Absent: none.',
)
export type PeerConfig = Static<typeof PeerSchema>
