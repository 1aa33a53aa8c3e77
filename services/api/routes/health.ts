import type { Api } from '../context.ts'

/** Ours: that this process answers. It says nothing of the services behind it, on purpose. */
export function healthRoutes(api: Api): void {
  api.get('/health', async () => ({ status: 'ok' }))
}
