import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { renderConfigVars } from '../render/config-vars.ts'
import { UpdateConfigVars } from '../schemas/config-vars.ts'
import { AppParams } from '../schemas/fields.ts'
import { targetApp } from '../targets.ts'

export function configVarRoutes(api: Api, context: ApiContext): void {
  const { apps } = context

  api.get('/apps/:app/config-vars', { schema: { params: AppParams } }, async (request) => {
    const { id } = await targetApp(context, request)
    const { vars } = await apps.getConfigVars({ actor: actorOf(request), app: id })
    return renderConfigVars(vars)
  })

  api.patch(
    '/apps/:app/config-vars',
    { schema: { params: AppParams, body: UpdateConfigVars } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const set: Record<string, string> = {}
      const unset: string[] = []
      for (const [name, value] of Object.entries(request.body)) {
        if (value === null) unset.push(name)
        else set[name] = value
      }
      const { vars } = await apps.updateConfigVars({ actor: actorOf(request), app: id, set, unset })
      return renderConfigVars(vars)
    },
  )
}
