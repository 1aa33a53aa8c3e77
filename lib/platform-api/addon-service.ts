import type { AddonService } from '#proto/broker/v1/broker_pb.ts'
import { generation } from './platform.ts'
import { isoTime } from './time.ts'

export function renderAddonService(service: AddonService) {
  return {
    cli_plugin_name: service.cliPluginName || null,
    created_at: isoTime(service.createdAt),
    human_name: service.humanName,
    id: service.id,
    name: service.name,
    state: service.state,
    supported_generations: [generation],
    supports_multiple_installations: service.supportsMultipleInstallations,
    supports_sharing: service.supportsSharing,
    updated_at: isoTime(service.updatedAt, service.createdAt),
  }
}
