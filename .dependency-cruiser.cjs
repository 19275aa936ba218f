// The direction of imports (docs/architecture.md is drawn from the same walk):
//   actions → aws, cluster-api, benchmark, evidence → lease, host → action-kit

const tests = '/test/'
const source = packages => `^packages/(${packages})/src/`
const anyOf = packages => `^packages/(${packages})/`
const npm = name => `node_modules/${name}(/|$)`
const development = 'offline-cloud|workflow-runner|tooling'

const rules = [
  {
    name: 'no-cycles',
    comment: 'Modules that import each other can only be understood together.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'nothing-imports-an-action',
    comment: 'An action is wiring. What two actions share belongs to a package.',
    from: { path: '^packages/' },
    to: { path: '^actions/' },
  },
  {
    name: 'actions-stand-alone',
    comment: 'Actions meet in the run directory, not in code.',
    from: { path: '^actions/([^/]+)/' },
    to: { path: '^actions/', pathNot: ['^actions/$1/', tests] },
  },
  {
    name: 'lease-and-host-know-no-layer-above',
    comment: 'Leases and hosts are the same on every cloud and for every job.',
    from: { path: source('lease|host') },
    to: { path: anyOf('aws|cluster-api|benchmark|evidence') },
  },
  {
    name: 'action-kit-is-the-ground',
    comment: 'Everything stands on action-kit; it stands on nothing of ours.',
    from: { path: source('action-kit') },
    to: { path: '^packages/', pathNot: anyOf('action-kit') },
  },
  {
    name: 'packages-see-ports-only',
    comment:
      'Packages get a clock, a log and fault types from action-kit; inputs, outputs and state belong to actions.',
    from: { path: source('lease|host|aws|cluster-api|benchmark|evidence') },
    to: { path: '^packages/action-kit/', pathNot: '^packages/action-kit/src/ports/' },
  },
  {
    name: 'no-aws-outside-aws',
    comment: 'One package talks to AWS, so that a second cloud is one more package.',
    from: { pathNot: [anyOf('aws'), tests] },
    to: { path: npm('@aws-sdk') },
  },
  {
    name: 'domain-knows-no-cloud-and-no-github',
    comment: 'Leases, hosts, measuring and evidence are tested and used without either.',
    from: { path: source('lease|host|benchmark|evidence') },
    to: { path: [anyOf('aws'), npm('@actions')] },
  },
  {
    name: 'core-only-in-action-kit',
    comment: 'Masks, outputs and failures go through one place.',
    from: { pathNot: [anyOf('action-kit'), tests] },
    to: { path: npm('@actions/core') },
  },
  {
    name: 'artifact-and-github-only-in-collect-evidence',
    comment: 'They are the largest dependencies; one action uploads.',
    from: { pathNot: ['^actions/collect-evidence/', tests] },
    to: { path: npm('@actions/(artifact|github)') },
  },
  {
    name: 'development-stays-outside',
    comment: 'No action and no package depends on what serves development; tests may use the offline cloud.',
    from: { path: '^(actions|packages)/', pathNot: [anyOf(development), tests] },
    to: { path: anyOf(development) },
  },
  {
    name: 'tests-use-the-offline-cloud-only',
    comment: 'Tests of whole workflows stand in tooling.',
    from: { path: tests, pathNot: anyOf(development) },
    to: { path: anyOf('workflow-runner|tooling') },
  },
  {
    name: 'cloud-and-runner-know-no-product',
    comment: 'The offline cloud and the runner judge our bundles from outside, as AWS and GitHub do.',
    from: { path: source('offline-cloud|workflow-runner') },
    to: { path: '^packages/', pathNot: '^packages/$1/' },
  },
  {
    name: 'resolvable',
    comment: 'An import that resolves to nothing fails at run time. (The zipapp exists in bundles only.)',
    from: {},
    to: { couldNotResolve: true, pathNot: '^@gpu-actions/benchmark/programs\\.pyz$' },
  },
  {
    name: 'declared',
    comment:
      'A package that no package.json names is there by chance. (Tests take clients from wherever they are declared.)',
    from: { pathNot: tests },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'no-sources-from-tests',
    comment: 'What ships imports no test.',
    from: { path: '/src/' },
    to: { path: tests },
  },
]

module.exports = {
  forbidden: rules.map(rule => ({ severity: 'error', ...rule })),
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|dist)/|/build/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
    cache: false,
  },
}
