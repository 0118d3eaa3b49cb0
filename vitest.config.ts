import { defineConfig } from 'vitest/config';
import { bundledPackages } from './deploy/setup/bundled-packages.mjs';
import { MixedSequencer } from './test/kit/file-order.ts';

// As programs do: some forty files for 1,500, in each of the workers. Whole names alone.
const alias = [...bundledPackages()].map(([specifier, replacement]) => ({
  find: new RegExp(`^${specifier.replaceAll('.', '\\.')}$`),
  replacement,
}));

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['{shared,services,test,deploy}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    setupFiles: ['test/kit/one-run-a-file.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // One more than processors: most files wait for something half of their time.
    maxWorkers: 3,
    sequence: { sequencer: MixedSequencer },
    // Real processes on a busy machine: what is awaited comes, but not always within vitest's one second.
    expect: { poll: { timeout: 20_000 } },
  },
});
