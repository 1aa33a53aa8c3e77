import { Type } from '@fastify/type-provider-typebox'
import { NullableString } from './fields.ts'

/** Null takes a variable away. Names and sizes are judged by the apps service. */
export const UpdateConfigVars = Type.Record(Type.String(), NullableString)
