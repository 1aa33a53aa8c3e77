/**
 * Workflow steps that one process runs at a time. They mostly wait for a provider, and one that
 * hangs holds as many places as it has add-ons to make: there have to be more places than that, or
 * it holds up the others' add-ons and everybody's detaching as well. What a step needs of the
 * database is bounded by the pool.
 */
export const stepsInFlightMax = 500

/**
 * Longest that a provider of our own may take to answer one call; then it is asked again. They
 * answer "pending" within seconds, and while a call hangs it holds one of the runner's places.
 */
export const providerTimeoutMs = 30_000

/** How soon a provider of our own is asked again when the outcome of a call is unknown. */
export const ownProviderRetry = { firstMs: 500, maxMs: 60_000 }

/**
 * Longest that a provider out there may take to accept a connection; how long to answer is a
 * setting.
 */
export const partnerConnectMs = 10_000
/** Longest answer of a provider that is read; a longer one counts as none. */
export const partnerAnswerBytesMax = 1024 * 1024
/** Longest wait until it is asked again: it may be down for a night. The first is a setting. */
export const partnerRetryMsMax = 3_600_000
/** Of a provider's message for the customer; the rest is cut. */
export const messageCharsMax = 1_000
/** A provider's own id of a resource; a longer one is no id. */
export const providerIdCharsMax = 1_000
/**
 * Of a provider's name for the work that it is at; a longer one is none (Open Service Broker API).
 */
export const operationCharsMax = 10_000
/** Longest that a provider's "Retry-After" is followed; a longer wish is cut to it. */
export const retryAfterSecondsMax = 3600
/**
 * Calls to the provider of one service at a time: one that hangs holds a place of the runner's for
 * each, and is to leave some to the others.
 */
export const callsPerServiceMax = 20

/** How long a grant's code may be traded for tokens, and how long an access token then lasts. */
export const grantCodeSeconds = 5 * 60
export const accessTokenSeconds = 8 * 3600 - 1

/** A manifest, and the plans beside it, as JSON. */
export const manifestBytesMax = 64 * 1024
/** Plans of one service, and accounts that may have it while it is alpha. */
export const plansPerServiceMax = 100
export const testersMax = 100
/** Access tokens of one add-on that are good at a time; an older one ends when there are more. */
export const accessTokensPerAddonMax = 10

/** Add-on services that one account may declare, and revisions of a manifest that are kept. */
export const servicesPerAccountMax = 20
export const manifestsKeptMax = 100

/** Longest that an add-on may be provisioning, as on Heroku; then it is given up and removed. */
export const provisioningSecondsMax = 12 * 3600

/** How long a plan change is asked for whose outcome is not known; then the old plan stays. */
export const planChangeSecondsMax = 12 * 3600

/** How long an attachment to a live add-on waits for credentials of its own; then it is refused. */
export const bindingSecondsMax = 3600

/** Longest that former credentials stay good beside new ones, whatever the setting says: a day. */
export const rotationOverlapSecondsMax = 86_400
/** How soon new credentials are offered again to an app that has refused them. */
export const publishAgainSeconds = 60
/** How much later than planned a step that waits on purpose may end before somebody has to look. */
export const stepSlackSeconds = 15 * 60

/**
 * A removal that takes longer is reported to the operator; it goes on until the resource is gone.
 */
export const removalSecondsMax = 3600

/**
 * How often a provider that takes its time over a removal, and is to call back, is asked anyway.
 */
export const removalAskSeconds = 3600

/** How often a provider that answered "pending" is asked again: rarer the longer it takes. */
export const providerPollSecondsMin = 1
export const providerPollSecondsMax = 30

/** Longest that a request waits for the workflow it started; longer wishes are cut to it. */
export const waitMsMax = 60_000

/** Longest that attaching and detaching wait for their release; the work goes on after it. */
export const attachmentWaitMs = 8_000

/** How often the broker compares what it knows with what the others have. */
export const reconcileEveryMs = 60 * 60_000
/** Apps that are asked about at a time; one answer must fit a message of NATS. */
export const appsPerQuestionMax = 500
/**
 * Apps whose configs are looked at between two looks at the broker's own: few enough that hardly
 * anything of them changes meanwhile, for of what does this look says nothing.
 */
export const appsComparedAtATime = 50
/** Discrepancies that one look tells, and mends; the rest is for the next one. */
export const discrepanciesMax = 1_000

/** How long the rows of add-ons and attachments that are gone are kept, to be looked at. */
export const keepGoneDays = 30
/** How often older ones are looked for, and how many are deleted then. */
export const deleteGoneEveryMs = 10 * 60_000
export const deletedAtATime = 1_000

/** How soon a workflow looks again at another one that it depends on, if nothing wakes it. */
export const dependencyPollSeconds = 1

/** How long GetAddon still shows an add-on that could not be provisioned, with its reason. */
export const failureShownSeconds = 15 * 60

/** Options of one add-on, as JSON; more is refused. */
export const optionsBytesMax = 16 * 1024

/** Add-ons billed to one app, and attachments on one app; more are refused. */
export const addonsPerAppMax = 100
export const attachmentsPerAppMax = 100

/** How often a wish is tried that meets the start of a workflow: one can begin, hardly a second. */
export const wishTriesMax = 5

/** How often a made-up name that somebody else has just taken is made up anew. */
export const namingTriesMax = 20

/** Variables that a provider may set in one call. */
export const configVarsPerCallMax = 100

/** Add-ons on one page of an app info list; its answer must fit a message of NATS. */
export const appInfoPageMax = 500

/** Longest that a provider's call-back waits for what it sets off; the work goes on after it. */
export const partnerWaitMs = 8_000

/** How long the address of a dashboard, which `addons:open` hands to a browser, is good. */
export const dashboardTicketSeconds = 10 * 60
