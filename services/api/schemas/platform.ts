import { Type } from '@fastify/type-provider-typebox'
import { AppParams } from './fields.ts'

export const RegionParams = Type.Object({ region: Type.String() })
export const StackParams = Type.Object({ stack: Type.String() })
export const FeatureParams = Type.Object({ ...AppParams.properties, feature: Type.String() })
