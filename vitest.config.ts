import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{shared,services,test,deploy}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // Real processes on a busy machine: what is awaited comes, but not always within vitest's one second.
    expect: { poll: { timeout: 20_000 } },
  },
});
