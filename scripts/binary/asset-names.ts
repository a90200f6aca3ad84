/** Name of the asset with the code of the workers. */
export const WORKER_ASSET = 'workers.cjs'

/** Name of the asset with the whole program, beside the agent's. */
export const WHOLE_ASSET = 'hb-all.cjs'

/** Name of the asset with the package that speaks MQTT. */
export const MQTT_ASSET = 'hb-mqtt.cjs'

/** Names of the fleet page's files among the assets begin with it. */
export const PAGE_PREFIX = 'page/'

/** Name of the asset with an addon. */
export function addonAsset(name: string): string {
  return `${name}.node`
}
