/** Fields of ServiceEntry that are refused, and why. */
export const SERVICE_ENTRY: Readonly<Record<string, string>> = {};
