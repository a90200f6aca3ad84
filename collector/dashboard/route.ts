/** Where the page is: the fleet, or one rig with perhaps one decision of it. Lives in the address, so it can be sent to somebody. */
export type Route =
  | Readonly<{ page: 'fleet' }>
  | Readonly<{ page: 'rig'; program: string; rig: string; decision: string | null }>

/** Reads the part of the address after `#`; what is not understood is the fleet, which is always safe. */
export function parseRoute(hash: string): Route {
  const [page, program, rig, decision] = hash.replace(/^#\/?/, '').split('/').map(decoded)
  if (page !== 'rig' || program === undefined || rig === undefined) return { page: 'fleet' }
  return { page: 'rig', program, rig, decision: decision || null }
}

export function hrefOfRig(program: string, rig: string, decision: string | null = null): string {
  const parts = decision === null ? [program, rig] : [program, rig, decision]
  return `#/rig/${parts.map(encodeURIComponent).join('/')}`
}

export const FLEET_HREF = '#/'

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // A broken escape in an address that somebody typed: shown as it stands.
    return part
  }
}
