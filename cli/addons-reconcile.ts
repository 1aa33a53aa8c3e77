import { toJson } from '@bufbuild/protobuf'
import {
  ReconcileReportSchema,
  type Discrepancy,
  type ReconcileReport,
} from '#proto/broker/v1/broker_pb.ts'
import { reconcileAddons } from '../local-platform/broker-as-operator.ts'
import { defineCommand } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const addonsReconcile = defineCommand({
  usage: 'addons reconcile',
  summary: 'Compares add-ons with config vars and with what the providers have (for the operator)',
  help: `      --repair           mend what is the broker's to mend
      --remove-unknown   also remove what the broker has never heard of; not where an older
                         backup of it was restored: that may be customers' data
      --json             the report as JSON

Without options it changes nothing. Ends with status 1 when something is left that is not as it
should be. docs/OPERATIONS.md says what each kind means. The broker looks by itself every hour and
then repairs, too.

${operatorHelp}`,
  options: {
    repair: { type: 'boolean' },
    'remove-unknown': { type: 'boolean' },
    json: { type: 'boolean' },
  },
  run: async ({ values, env }) => {
    const removeUnknown = values['remove-unknown'] ?? false
    const report = await reconcileAddons(await operatorUrl(env), {
      repair: values.repair ?? false,
      removeUnknown,
    })
    process.stdout.write(values.json ? json(report) : text(report))
    return report.discrepancies.every(({ repaired }) => repaired) && !report.truncated ? 0 : 1
  },
})

function json(report: ReconcileReport): string {
  const fields = { alwaysEmitImplicit: true, useProtoFieldName: true }
  return `${JSON.stringify(toJson(ReconcileReportSchema, report, fields), null, 2)}\n`
}

function text({ discrepancies, addons, apps, resources, truncated }: ReconcileReport): string {
  const compared = `Compared ${addons} add-ons, the config of ${apps} apps and ${resources} resources of our own providers.`
  const found = discrepancies.length === 0 ? 'Everything agrees.' : discrepancies.map(lines)
  const more = truncated ? ['There is more: look again when this is mended.'] : []
  return `${[compared, '', found, more].flat(2).join('\n')}\n`
}

function lines({ kind, addonName, addonId, appId, what, remedy, repaired }: Discrepancy): string[] {
  const about = [addonName || addonId, appId && `app ${appId}`].filter(Boolean).join(', ')
  return [
    `${repaired ? 'repaired' : kind}  ${about}`,
    `  ${what}`,
    ...(repaired ? [] : [`  ${remedy}`]),
  ]
}
