import type { Account } from '#proto/apps/v1/apps_pb.ts'
import { isoTime } from '#lib/platform-api/time.ts'

/** Heroku's account. Plexus knows an e-mail address; what it has no notion of is null or false. */
export function renderAccount(account: Account) {
  const createdAt = isoTime(account.createdAt)
  return {
    acknowledged_msa: false,
    acknowledged_msa_at: null,
    allow_tracking: false,
    beta: false,
    country_of_residence: null,
    created_at: createdAt,
    default_organization: null,
    default_team: null,
    delinquent_at: null,
    eco_dynos_enabled: false,
    eco_dynos_shutdown_at: null,
    email: account.email,
    federated: false,
    id: account.id,
    identity_provider: null,
    italian_customer_terms: null,
    italian_partner_terms: null,
    last_login: null,
    mfa_enabled: false,
    mfa_exemption: false,
    mfa_exemption_reason: null,
    mfa_experience: 'legacy',
    name: null,
    pipeline_cost_consent_at: null,
    sms_number: null,
    suspended_at: null,
    two_factor_authentication: false,
    updated_at: isoTime(account.updatedAt, account.createdAt),
    verified: true,
  }
}
