/** How a command ended (DESIGN.md section 2, CLI). */
export const EXIT = { done: 0, failed: 1, usage: 2, nacked: 3, timedOut: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
