/** Fields of WorkloadEntry that are refused, and why. */
export const WORKLOAD_ENTRY: Readonly<Record<string, string>> = {};
