import boundaries from 'eslint-plugin-boundaries';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The rooms: who may import whom. ARCHITECTURE.md says why. */
const ROOMS = {
  protocol: 'src/protocol/**',
  core: 'src/core/**',
  ports: 'src/ports/**',
  config: ['src/config.ts', 'src/config/**'],
  observe: 'src/observe/**',
  store: 'src/store/**',
  runtime: 'src/runtime/**',
  desk: 'src/desk/**',
  rounds: 'src/rounds/**',
  upkeep: 'src/upkeep/**',
  http: 'src/http/**',
  cli: 'src/cli/**',
  system: 'src/system.ts',
  daemon: ['src/daemon.ts', 'src/daemon/**'],
  entry: ['src/main.ts', 'src/index.ts'],
  runner: 'container/agent-runner/src/**',
  test: ['test/**', 'vitest.config.ts', 'vitest.mutation.config.ts'],
  tools: 'scripts/**',
};

/** Beside itself, every room but protocol and the runner may import protocol and the types of config and observe. */
const ALLOWED = {
  protocol: {},
  core: {},
  ports: { types: ['core'] },
  config: { types: ['core', 'ports'] },
  observe: { values: ['ports'], types: ['core'] },
  store: { values: ['ports'], types: ['core'] },
  runtime: { values: ['ports'], types: ['core'] },
  desk: { values: ['ports', 'core'] },
  rounds: { values: ['ports', 'core'] },
  upkeep: { values: ['ports', 'core'] },
  system: { values: ['ports'] },
  http: { values: ['desk'] },
  cli: { values: ['desk'], types: ['daemon', 'rounds'] },
  daemon: {
    values: ['ports', 'core', 'config', 'observe', 'store', 'runtime', 'desk', 'rounds', 'upkeep', 'http', 'system'],
    types: ['cli'],
  },
  entry: { values: ['daemon', 'cli', 'config', 'observe', 'desk', 'rounds'] },
  runner: {},
};

const room = (...categories) => ({ file: { categories } });
const internals = Object.keys(ALLOWED);

const roomPolicies = Object.entries(ALLOWED).flatMap(([from, { values = [], types = [] }]) => {
  if (from === 'protocol') return [{ from: room(from), allow: { to: room(from) } }];
  const shared = from === 'runner' ? [] : ['config', 'observe'];
  const imports = [from, 'protocol', ...values];
  return [
    { from: room(from), allow: { to: room(...imports) } },
    { from: room(from), allow: { to: room(...types, ...shared), dependency: { kind: 'type' } } },
  ];
});

/** Packages and node modules that only some rooms may import; all others are free to all rooms but the pure ones. */
const RESERVED = [
  { name: 'better-sqlite3', rooms: ['store', 'runner'] },
  { name: 'dockerode', rooms: ['runtime'] },
  { name: 'child_process', rooms: ['runtime', 'runner'] },
  { name: 'worker_threads', rooms: [] },
  { name: 'hono', rooms: ['http'] },
  { name: '@hono/node-server', rooms: ['http'] },
  { name: 'commander', rooms: ['cli', 'entry'] },
  { name: 'pino', rooms: ['observe'] },
  { name: 'prom-client', rooms: ['observe'] },
  { name: 'cron-parser', rooms: ['core'] },
];
const PURE = ['core', 'ports', 'protocol'];

const foreign = (source) =>
  ['external', 'core'].map((origin) => ({ module: source ? { origin, source } : { origin } }));

const modulePolicies = [
  { from: room(...internals.filter((name) => !PURE.includes(name))), allow: { to: foreign() } },
  // Few policies of many rooms each: every import of every file is held against every policy.
  ...RESERVED.flatMap(({ name, rooms }) => {
    const to = [name, `node:${name}`].flatMap(foreign);
    const others = internals.filter((other) => !rooms.includes(other));
    return [
      ...(rooms.length > 0 ? [{ from: room(...rooms), allow: { to } }] : []),
      {
        from: room(...others),
        disallow: { to },
        message: `${name} is reserved to: ${rooms.join(', ') || 'no room'}`,
      },
    ];
  }),
];

const style = [
  { selector: 'ExportDefaultDeclaration', message: 'Exports are named.' },
  { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that defines it.' },
];

const outsideWorld = [
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'core is given the time.' },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'core is given the time.' },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'core is given its chances.' },
];

export default defineConfig(
  globalIgnores(['**/dist/', 'dist-sim/', '**/node_modules/', 'coverage/', 'data/', 'reports/', '.stryker-tmp/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { boundaries },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    settings: {
      'boundaries/root-path': import.meta.dirname,
      'boundaries/files': Object.entries(ROOMS).map(([category, pattern]) => ({ category, pattern })),
      'boundaries/dependency-nodes': ['import', 'dynamic-import', 'export', 'require'],
      'boundaries/legacy-templates': false,
      'import/resolver': { [`${import.meta.dirname}/eslint-resolver.cjs`]: {} },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...style],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['src/**/*.ts', 'container/agent-runner/src/**/*.ts'],
    rules: {
      'boundaries/no-unknown-files': 'error',
      'boundaries/no-unknown-dependencies': ['error', { require: 'file' }],
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          checkAllOrigins: true,
          checkUnknownLocals: true,
          checkInternals: true,
          policies: [...roomPolicies, ...modulePolicies],
        },
      ],
    },
  },
  {
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...style, ...outsideWorld],
      'no-restricted-globals': [
        'error',
        ...['process', 'performance', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'crypto'].map((name) => ({
          name,
          message: 'core is pure: no I/O, no clock, no chance.',
        })),
      ],
    },
  },
  {
    // A test file may grow with its table of cases; the config files of vitest must export a default.
    files: ['test/**/*.ts'],
    rules: { 'max-lines': ['error', { max: 600 }] },
  },
  { files: ['vitest.config.ts', 'vitest.mutation.config.ts'], rules: { 'no-restricted-syntax': 'off' } },
);
