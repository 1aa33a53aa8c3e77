import { derivedId } from '#lib/ids.ts'

/** Who did something: an account, or an add-on provider or the platform, which have none. */
export function renderUser({ id, email }: { id: string; email: string }) {
  return { email, id: id || derivedId(`user ${email}`) }
}
