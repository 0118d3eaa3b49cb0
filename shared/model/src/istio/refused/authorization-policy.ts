/** Fields of AuthorizationPolicy that are refused, and why. */
export const AUTHORIZATION_POLICY: Readonly<Record<string, string>> = {};
