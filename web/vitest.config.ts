import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['courier/test/**/*.test.ts', 'app/test/**/*.test.ts'],
    setupFiles: ['courier/test/setup.ts'],
    // The timers of the code under test are real.
    testTimeout: 30_000,
  },
})
