/**
 * Access tokens of add-on providers begin so, and no other token does: the rest of an account's is
 * base64url, which has no dot. The broker makes them, and the api tells them from accounts' by it.
 */
export const partnerTokenPrefix = 'HRKU-AD.'
