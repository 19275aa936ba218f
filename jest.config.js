// One jest project per level of test; the file's suffix says which level it belongs to (CONTRIBUTING.md).
const levels = ['adapter', 'bundle', 'contract', 'workflow', 'act']

const project = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  displayName,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch,
  testPathIgnorePatterns: ['/node_modules/', '/build/', '/dist/', ...testPathIgnorePatterns],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
})

export default {
  projects: [
    project('unit', ['**/test/**/*.test.ts'], [`\\.(${levels.join('|')})\\.test\\.ts$`]),
    ...levels.map(level => project(level, [`**/test/**/*.${level}.test.ts`])),
  ],
}
