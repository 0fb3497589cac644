/** Bytes of a request body at most, on every route. */
export const bodyLimitBytes = 8 * 1024 * 1024
