'use strict';
// Resolves what eslint-plugin-boundaries asks for: TypeScript is imported by the name of its output (`./x.js` is x.ts).
const fs = require('node:fs');
const { createRequire, isBuiltin } = require('node:module');
const path = require('node:path');

exports.interfaceVersion = 2;

exports.resolve = (source, file) => {
  if (isBuiltin(source)) return { found: true, path: null };
  if (source.startsWith('.')) {
    const target = path.resolve(path.dirname(file), source);
    const candidates = [target.replace(/\.js$/, '.ts'), target];
    const found = candidates.find((candidate) => fs.existsSync(candidate));
    return found === undefined ? { found: false } : { found: true, path: found };
  }
  try {
    return { found: true, path: createRequire(file).resolve(source) };
  } catch {
    return { found: false };
  }
};
