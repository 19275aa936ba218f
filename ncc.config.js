// Every setting of the bundles, as data for packages/tooling/src/build.ts. ncc reads no file of this name by itself;
// `mainFields` and `esm` exist in its API only. Why one build and why two bundlers: docs/adr.

// ES modules where a package has them: without this neither bundler can shake the AWS SDK.
const mainFields = ['module', 'main']

export default {
  /** What an action runs from; git-ignored, carried by tags. */
  output: 'dist',
  /** What rolldown leaves for ncc. */
  intermediate: 'build/bundle',

  /** First: TypeScript and tree-shaking. Every lazy import stays a chunk of its own. */
  rolldown: {
    platform: 'node',
    // The packages that zip artifacts bring copies of Node's own streams for old Nodes.
    resolve: { mainFields, alias: { 'readable-stream$': 'node:stream' } },
    moduleTypes: { '.pyz': 'binary', '.py': 'text' },
    output: {
      format: 'esm',
      entryFileNames: 'index.js',
      chunkFileNames: '[name].js',
      minify: false,
      sourcemap: false,
      // Licences stay; what the code says stands in its sources. A sixth of the tree, gzipped, was comments.
      comments: { legal: true, annotation: false, jsdoc: false },
    },
  },

  /** Then, once for the whole suite. Not minified: it would not start faster, and a reviewer can read it. */
  ncc: { esm: true, mainFields, target: 'es2023', minify: false, sourceMap: false, cache: false, quiet: true },
}
