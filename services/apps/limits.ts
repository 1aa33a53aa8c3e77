// Every limit of this service. All of them push back: the request is refused with a message that
// says what to do, and nothing is dropped.

/** Names and values of an app's config vars together, as Heroku: an environment holds no more. */
export const configBytesMax = 64 * 1024
/** A release's description; a change of hundreds of variables need not name them all. */
export const descriptionCharsMax = 1_000

/** Apps that an account owns or collaborates on: what one answer of ListApps holds. */
export const appsPerAccountMax = 2_000
export const collaboratorsPerAppMax = 200
/** Apps that FilterApps is asked about at a time: the answer is some 4 MB, NATS carries 8. */
export const filterAppsMax = 10_000
/** Ids in one answer of ListAppIds. */
export const appIdsPageMax = 1_000
/** Made-up names that are tried before the caller is asked to choose one. */
export const appNameTriesMax = 10

export const releasesPageMax = 1_000

export const authorizationsPerAccountMax = 1_000
export const authorizationDescriptionCharsMax = 255
export const emailCharsMax = 254
export const passwordCharsMin = 8
export const passwordBytesMax = 1_024
/** Each takes 16 MiB and some 150 ms of a thread; more at a time are told to try again. */
export const passwordChecksInFlightMax = 16
