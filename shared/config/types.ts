import type { Static } from 'typebox'
import type { CollectorSchema, MetricSchema, RegistrySchema, RigSchema, RuntimeSchema } from './schema.ts'
import type {
  CsvSourceSchema,
  HostSourceSchema,
  MqttSourceSchema,
  StdinSourceSchema,
  TailSourceSchema,
  ZmqSourceSchema,
} from './source-schema.ts'

/** A configuration with every default filled in, in the words of its file. */
export type RuntimeConfig = Static<typeof RuntimeSchema>
export type RigConfig = Static<typeof RigSchema>
export type ZmqSourceConfig = Static<typeof ZmqSourceSchema>
export type CsvSourceConfig = Static<typeof CsvSourceSchema>
export type HostSourceConfig = Static<typeof HostSourceSchema>
export type StdinSourceConfig = Static<typeof StdinSourceSchema>
export type TailSourceConfig = Static<typeof TailSourceSchema>
export type MqttSourceConfig = Static<typeof MqttSourceSchema>
export type LineSourceConfig = StdinSourceConfig | TailSourceConfig
export type SourceConfig = RigConfig['sources'][number]
export type CollectorConfig = Static<typeof CollectorSchema>
export type RegistryConfig = Static<typeof RegistrySchema>
export type MetricConfig = Static<typeof MetricSchema>
