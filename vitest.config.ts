import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{shared,services,test,deploy}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
