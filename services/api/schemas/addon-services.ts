import { Type } from '@fastify/type-provider-typebox'

export const ServiceParams = Type.Object({ service: Type.String() })
export const PlanParams = Type.Object({ plan: Type.String() })
export const ServicePlanParams = Type.Object({ service: Type.String(), plan: Type.String() })
