/** Tests that a lab without Nova is enough for; the others are in ava-e2e.config.mjs. */
export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts', '!test/e2e/**', '!test/**/*.e2e.test.ts'],
  require: ['./test/helpers/title.ts'],
  timeout: '3m',
  concurrency: 2,
  workerThreads: false,
};
