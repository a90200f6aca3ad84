/**
 * The only file that imports the `mqtt` package: half a megabyte of text, read only where a broker is asked for (ADR 37).
 * Its own ways to a broker are left out of what is bundled: streams are made in `broker.ts`.
 */
import client from 'mqtt/lib/client'

export const MqttClient = client.default
export type MqttConnection = InstanceType<typeof MqttClient>
export type MqttMessage = Parameters<MqttConnection['handleMessage']>[0]
