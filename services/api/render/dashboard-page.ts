import { randomBytes } from 'node:crypto'
import type { Sso } from '#proto/broker/v1/broker_pb.ts'

/**
 * A page with one form, which a browser sends to the provider by itself, or by its button without
 * JavaScript; and the policy that allows exactly that.
 */
export function renderDashboardPage({
  action,
  method,
  params,
}: Pick<Sso, 'action' | 'method' | 'params'>): {
  html: string
  policy: string
} {
  const nonce = randomBytes(16).toString('base64')
  const { origin } = new URL(action)
  const fields = Object.entries(params).map(
    ([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`,
  )
  const html = `<!doctype html>
<html lang="en">
<title>Opening the dashboard</title>
<form action="${escape(action)}" method="${method === 'get' ? 'get' : 'post'}">
${fields.join('\n')}
<button>Open the dashboard at ${escape(origin)}</button>
</form>
<script nonce="${nonce}">document.forms[0].submit()</script>
</html>
`
  // No form-action: browsers hold redirects of the provider against it.
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`
  return { html, policy }
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}
