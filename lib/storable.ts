/**
 * Whether a text is the same in a database, in UTF-8 and in an environment: it has no NUL, and no
 * half of a surrogate pair. JSON can write both.
 */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
