import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    reporters: process.env['CI'] ? ['default'] : ['dot'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Files share two processes: each loading the node and compiling its hot code anew was half of the time of the small ones.
    // Nothing here keeps state in modules, and internals are not mocked, so no file can see that another ran before it.
    isolate: false,
  },
});
