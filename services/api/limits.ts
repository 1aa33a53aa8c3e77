// Every bound of the gateway. Above a bound the request is refused: nothing is queued here.

/** A request's body; the largest honest one is a whole config of 64 KB, escaped. */
export const bodyBytesMax = 512 * 1024
/** All headers of a request: the CLI's Request-Id alone grows to 7 KiB. */
export const headerBytesMax = 32 * 1024
/** A Request-Id that is echoed; a longer one is replaced. */
export const requestIdCharsMax = 8 * 1024
/** One decoded part of a path: a drain's URL may stand there. */
export const pathPartCharsMax = 4 * 1024
/** Open connections to one api process; more are closed at once. */
export const connectionsMax = 2_000
/** Of these, what one peer address may hold. */
export const connectionsPerPeerMax = 500
/** A request's headers must have arrived within the first, all of it within the second time. */
export const headersArrivalMs = 10_000
export const requestArrivalMs = 30_000
/** How often connections are looked at for those that are late. */
export const arrivalCheckMs = 2_000
/** An idle connection is kept this long, longer than the CLI's own 60 s. */
export const keepAliveMs = 65_000

/** Elements of a list in one answer: without a Range header, and at most. */
export const pageSizeDefault = 200
export const pageSizeMax = 1_000

/** Requests of one account: a bucket of so many tokens, refilled at so many a minute. */
export const accountRequestsMax = 4_500
export const accountRequestsPerMinute = 75

/**
 * Failed logins of one e-mail address and of one peer address before 429, and how they come back.
 */
export const loginFailuresPerEmailMax = 10
export const loginFailuresPerEmailPerMinute = 1
export const loginFailuresPerPeerMax = 60
export const loginFailuresPerPeerPerMinute = 6
/**
 * Of an e-mail address that somebody logs in with: what tells it from others. RFC 5321's longest.
 */
export const loginEmailCharsMax = 254
/** Requests with a wrong token of one peer address before 429, and how they come back. */
export const wrongTokensPerPeerMax = 300
export const wrongTokensPerPeerPerMinute = 60
/** Tokens remembered as good, which a peer's wrong ones do not keep out. */
export const goodTokensMax = 10_000
/** Buckets kept in memory; the one unused for longest makes room. */
export const bucketsMax = 10_000

/**
 * How long creating or destroying an add-on may keep its request open. The CLI gives up at 60 s.
 */
export const addonWaitMs = 20_000
/** The deadline of those calls: the wait, and time to answer. */
export const addonCallMs = addonWaitMs + 10_000
/** A password is hashed on purpose slowly, and several may be waiting. */
export const loginCallMs = 20_000

/** Problems of a request's body that one answer names. */
export const problemsNamedMax = 10

/** Lines of history that one log session may ask for: what the log keeps at least. */
export const logLinesMax = 1_500
export const logLinesDefault = 100

/** At a stop, how long requests in flight may take to end; what they began goes on behind them. */
export const httpStopMs = 10_000

/** Of a caller's Request-Id, what one line of our own log shows. */
export const requestIdLoggedCharsMax = 100

/** `heroku status`: services are asked no more often than this, and have so long to answer. */
export const statusFreshMs = 5_000
export const statusAnswerMs = 2_000
