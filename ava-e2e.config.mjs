/** Tests that need a lab with Nova: in test/e2e, or named *.e2e.test.ts. They share its services, so one file runs at a time. */
export default {
  extensions: ['ts'],
  files: ['test/e2e/**/*.test.ts', 'test/**/*.e2e.test.ts'],
  require: ['./test/helpers/title.ts'],
  timeout: '15m',
  concurrency: 1,
  serial: true,
  workerThreads: false,
};
