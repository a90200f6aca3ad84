import type { ErrorEntry } from './entry.ts'

/** Errors of what telemetry comes from. */
export const SOURCE_ERRORS = {
  MQTT_LOST: {
    exit: 69,
    retry: true,
    summary: 'The MQTT broker of a source is not connected; the source tries again by itself.',
    remedy:
      'See `reason`: start the broker, open the way to it, or correct `url`, `ca_file`, `cert_file` or `key_file`. Nothing of the source is evaluated meanwhile.',
  },
  MQTT_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'The MQTT broker of a source turned the agent away; it is asked again every half minute.',
    remedy:
      'See `reason`: correct `user`, `password_file` or the certificate, allow the client at the broker, or give every client a `client_id` of its own.',
  },
  MQTT_SUBSCRIPTION: {
    exit: 77,
    retry: false,
    summary: 'The MQTT broker of a source does not let the agent subscribe; it is asked again every half minute.',
    remedy: 'Allow the client to read every filter in `topics`, or correct `topics`.',
  },
  MQTT_PACKET: {
    exit: 65,
    retry: true,
    summary:
      'The MQTT broker of a source sent a packet that is too long; the connection and its session were given up.',
    remedy: 'Publish shorter messages. What the broker still kept for the agent is lost with the session.',
  },
} as const satisfies Record<string, ErrorEntry>
