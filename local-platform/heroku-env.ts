/**
 * What points the official CLI at a platform and keeps it there. Each of these hosts, left unset,
 * is one of Heroku's, and the CLI would send it the token. The names were read in heroku@11.
 */
export function platformHosts(apiUrl: string): Record<string, string> {
  return {
    HEROKU_HOST: apiUrl,
    // Every GET /account is sent here as well, with the token.
    HEROKU_PARTICLEBOARD_URL: apiUrl,
    // A bare host name: scheme and port come from HEROKU_HOST.
    HEROKU_DATA_HOST: new URL(apiUrl).hostname,
    HEROKU_LOGIN_HOST: apiUrl,
    HEROKU_STATUS_HOST: apiUrl,
    HEROKU_ANALYTICS_URL: `${apiUrl}/hamurai`,
    PGDIAGNOSE_URL: apiUrl,
    // Tokens of `heroku login` go to ~/.netrc and not into the desktop's keychain.
    HEROKU_NETRC_WRITE: 'true',
    HEROKU_NOTIFICATIONS: '0',
    HEROKU_SKIP_ANALYTICS: '1',
    HEROKU_SKIP_NEW_VERSION_CHECK: '1',
    HEROKU_DISABLE_AUTOUPDATE: '1',
    DISABLE_TELEMETRY: 'true',
    // The CLI takes a proxy even for this machine, unless told otherwise.
    NO_PROXY: '127.0.0.1,localhost',
  }
}
