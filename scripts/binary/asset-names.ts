/** Name of the asset with the code of the workers. */
export const WORKER_ASSET = 'workers.cjs'

/** Names of the fleet page's files among the assets begin with it. */
export const PAGE_PREFIX = 'page/'

/** Name of the asset with an addon. */
export function addonAsset(name: string): string {
  return `${name}.node`
}
