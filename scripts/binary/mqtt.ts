/** The package that speaks MQTT, out of the executable: inside it, this takes the place of `shared/mqtt/package.ts`. */
import type * as mqtt from '../../shared/mqtt/package.ts'
import { MQTT_ASSET } from './asset-names.ts'
import { runAsset } from './run-asset.ts'

export const { MqttClient } = runAsset(MQTT_ASSET) as typeof mqtt
