/** Webhooks of one app or add-on; more are refused. Heroku's number. */
export const webhooksPerTopicMax = 10
export const urlCharsMax = 2_048
export const secretCharsMax = 256
export const authorizationCharsMax = 2_048

/**
 * Deliveries that wait for one webhook. Beyond them a delivery is written down as failed and is not
 * sent: its receiver has been away for as many changes, and its history says so.
 */
export const waitingPerWebhookMax = 1_000

/**
 * How long a delivery of level sync is tried, as on Heroku; later, once more, and then it failed.
 */
export const retryMsMax = 72 * 3600 * 1000
/** Longest wait between two tries, as on Heroku. The first is a setting. */
export const retryWaitMsMax = 3600 * 1000

/**
 * Attempts that one process has under way. They wait for receivers; the rest waits in the table.
 */
export const attemptsInFlightMax = 200
/**
 * Of these, deliveries that have failed before: receivers that never answer leave room to others.
 */
export const retriesInFlightMax = 100
/** Beyond the time that a receiver has, what an attempt may take: to be written down, for one. */
export const leaseMarginMs = 3_000
/** Of what a receiver answers, what is read before its connection is closed. */
export const answerBytesMax = 64 * 1024
/** How soon a process notices that a delivery is due, where another one has queued it. */
export const pollMs = 500
/** At a stop, how long attempts under way may take; what is cut off then is sent again. */
export const stopMs = 3_000

/** Events of a topic that are kept with their deliveries, and for how long: waiting ones longer. */
export const eventsPerTopicMax = 1_000
export const keepEventsDays = 30
/** How often older ones are looked for, and how many are deleted then. */
export const deleteOldEveryMs = 60_000
export const deletedAtATime = 10_000

/** What one list answers at most, in items and, of payloads, in bytes: NATS carries 8 MB. */
export const pageItemsMax = 1_000
export const pageBytesMax = 4 * 1024 * 1024

/** How often apps and add-ons are asked for that may be gone without a word. */
export const reconcileEveryMs = 10 * 60_000
export const appsPerQuestionMax = 500
