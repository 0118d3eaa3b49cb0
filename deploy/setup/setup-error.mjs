/** A failure of setup whose message alone is for the user: what is missing, and what to do. */
export class SetupError extends Error {}
