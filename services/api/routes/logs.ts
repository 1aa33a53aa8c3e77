import type { Api, ApiContext } from '../context.ts'
import { identityOf } from '../hooks/identity.ts'
import { logLinesDefault, logLinesMax } from '../limits.ts'
import { renderSession } from '../render/log-session.ts'
import { renderLogToken } from '../render/log-token.ts'
import { AppParams } from '../schemas/fields.ts'
import { CreateLogSession, CreateLogToken } from '../schemas/logs.ts'
import { targetApp } from '../targets.ts'

/** The source that lines of a token made without a name show. */
const tokenNameDefault = 'app'

export function logSessionRoutes(api: Api, context: ApiContext): void {
  api.post(
    '/apps/:app/log-sessions',
    { schema: { params: AppParams, body: CreateLogSession } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const { lines, tail, source, dyno, type, match, pattern, since, until } = request.body ?? {}
      const session = await context.logplex.createSession({
        appId: id,
        lines: Math.min(lines ?? logLinesDefault, logLinesMax),
        tail: tail ?? false,
        source: source ?? '',
        dyno: dyno ?? type ?? '',
        match: match ?? '',
        pattern: pattern ?? '',
        since: since ?? '',
        until: until ?? '',
        accountId: identityOf(request).accountId,
      })
      // Who was removed while the session was being made does not get it: asked after it was made,
      // for what is removed after that also ends the session.
      await targetApp(context, request)
      reply.code(201)
      return renderSession(session)
    },
  )
}

/** Ours: Heroku keeps inside who may send lines of an app. */
export function logTokenRoutes(api: Api, context: ApiContext): void {
  const { logplex } = context

  api.get(
    '/apps/:app/log-tokens',
    { config: { ranges: ['name'] }, schema: { params: AppParams } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { tokens } = await logplex.listTokens({ appId: id })
      return tokens.map(renderLogToken)
    },
  )

  api.post(
    '/apps/:app/log-tokens',
    { schema: { params: AppParams, body: CreateLogToken } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const name = request.body?.name ?? tokenNameDefault
      const token = await logplex.ensureToken({ appId: id, name })
      reply.code(201)
      return renderLogToken(token)
    },
  )
}
