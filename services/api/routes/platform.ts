import { notFound, type PlexusError } from '#lib/errors.ts'
import type { Api, ApiContext } from '../context.ts'
import { region, stack } from '#lib/platform-api/platform.ts'
import { AppParams } from '../schemas/fields.ts'
import { FeatureParams, RegionParams, StackParams } from '../schemas/platform.ts'
import { targetApp } from '../targets.ts'

/** Kinds that Plexus does not have, of which clients ask the list nevertheless. */
const emptyLists = ['/account/features', '/account/keys', '/teams']
const emptyAppLists = [
  'buildpack-installations',
  'domains',
  'dynos',
  'features',
  'formation',
  'sni-endpoints',
]

export function platformRoutes(api: Api, context: ApiContext): void {
  api.get('/regions', async () => [region])
  api.get('/stacks', async () => [stack])

  api.get('/regions/:region', { schema: { params: RegionParams } }, async (request) => {
    if (![region.id, region.name].includes(request.params.region)) throw notFound('region')
    return region
  })

  api.get('/stacks/:stack', { schema: { params: StackParams } }, async (request) => {
    if (![stack.id, stack.name].includes(request.params.stack)) throw notFound('stack')
    return stack
  })

  for (const path of emptyLists) api.get(path, async () => [])

  const ofApp = { schema: { params: AppParams } }

  for (const name of emptyAppLists)
    api.get(`/apps/:app/${name}`, ofApp, async (request) => {
      await targetApp(context, request)
      return []
    })

  api.get('/apps/:app/available-stacks', ofApp, async (request) => {
    await targetApp(context, request)
    return [stack]
  })

  api.get('/apps/:app/pipeline-couplings', ofApp, async (request) => {
    await targetApp(context, request)
    // Not found as in Heroku's words, for `heroku apps:info` asks about every app.
    const message = "Couldn't find that pipeline coupling: Plexus has no pipelines."
    throw notFound('pipeline_coupling', message)
  })

  api.get(
    '/apps/:app/features/:feature',
    { schema: { params: FeatureParams } },
    async (request) => {
      await targetApp(context, request)
      throw noFeature()
    },
  )

  api.get('/account/features/:feature', async () => {
    throw noFeature()
  })
}

/** `heroku labs` and `ps:exec` ask about features by name. */
const noFeature = (): PlexusError =>
  notFound('feature', "Couldn't find that feature: Plexus has none, and runs no dynos.")
