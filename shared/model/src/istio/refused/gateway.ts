/** Fields of Gateway that are refused, and why: none. */
export const GATEWAY: Readonly<Record<string, string>> = {};
