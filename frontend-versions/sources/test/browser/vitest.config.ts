import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: 'test/browser',
    globalSetup: 'test/browser/ready.ts',
    // One browser and one gateway: side by side the tests would only wait for each other.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['verbose'],
  },
});
