import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

// The project's own rules, without those that need types: the files below exist only in the test.
const eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });

/** Whether the lint rule for the rooms lets a file import a module. */
async function mayImport(file: string, statement: string): Promise<boolean> {
  const text = `${statement};\nexport const planted = 1;\n`;
  const [result] = await eslint.lintText(text, { filePath: `${root}${file}` });
  return result?.messages.every(({ ruleId }) => ruleId?.startsWith('boundaries/') !== true) === true;
}

const sqlite = "import Database from 'better-sqlite3'";
const docker = "import Docker from 'dockerode'";
const spawn = "import { spawn } from 'node:child_process'";
const plainSpawn = "import { spawn } from 'child_process'";
const dynamicSpawn = "await import('node:child_process')";
const fs = "import { readFileSync } from 'node:fs'";
const cron = "import { CronExpressionParser } from 'cron-parser'";
const core = "import { isChange } from '../core/action.js'";
const coreType = "import type { Action } from '../core/action.js'";
const ports = "import type { Registry } from '../ports/registry.js'";
const config = "import { policyFor } from '../config.js'";
const configType = "import type { Settings } from '../config.js'";
const protocol = "import { isName } from '../protocol/address.js'";

describe('rooms', { timeout: 60_000 }, () => {
  it.each([
    ['src/store/a.ts', sqlite],
    ['src/runtime/a.ts', docker],
    ['src/runtime/a.ts', spawn],
    ['src/core/a.ts', cron],
    ['src/core/a.ts', protocol],
    ['src/ports/a.ts', coreType],
    ['src/ports/a.ts', protocol],
    ['src/store/a.ts', coreType],
    ['src/store/a.ts', ports],
    ['src/runtime/a.ts', ports],
    ['src/rounds/a.ts', core],
    ['src/desk/a.ts', core],
    ['src/desk/a.ts', ports],
    ['src/rounds/a.ts', configType],
    ['src/daemon.ts', "import { policyFor } from './config.js'"],
    ['container/agent-runner/src/a.ts', sqlite],
    ['container/agent-runner/src/a.ts', spawn],
    ['container/agent-runner/src/a.ts', "import { isName } from '../../../src/protocol/address.js'"],
  ])('let %s do: %s', async (file, statement) => {
    expect(await mayImport(file, statement)).toBe(true);
  });

  it.each([
    ['src/core/a.ts', sqlite],
    ['src/core/a.ts', fs],
    ['src/core/a.ts', ports],
    ['src/core/a.ts', "import { z } from 'zod'"],
    ['src/ports/a.ts', core],
    ['src/ports/a.ts', fs],
    ['src/protocol/a.ts', coreType],
    ['src/protocol/a.ts', configType],
    ['src/store/a.ts', core],
    ['src/store/a.ts', docker],
    ['src/store/a.ts', spawn],
    ['src/store/a.ts', config],
    ['src/runtime/a.ts', core],
    ['src/runtime/a.ts', sqlite],
    ['src/desk/a.ts', sqlite],
    ['src/desk/a.ts', docker],
    ['src/desk/a.ts', spawn],
    ['src/desk/a.ts', plainSpawn],
    ['src/desk/a.ts', dynamicSpawn],
    ['src/rounds/a.ts', config],
    ['src/rounds/a.ts', spawn],
    ['src/rounds/a.ts', "import { x } from '../desk/send-message.js'"],
    ['src/rounds/a.ts', "export { x } from '../store/nowhere.js'"],
    ['src/http/a.ts', "import type { Registry } from '../store/registry/registry.js'"],
    ['src/cli/a.ts', "import { startDaemon } from '../daemon.js'"],
    ['src/somewhere/a.ts', protocol],
    ['container/agent-runner/src/a.ts', "import { policyFor } from '../../../src/config.js'"],
    ['container/agent-runner/src/a.ts', docker],
  ])('do not let %s do: %s', async (file, statement) => {
    expect(await mayImport(file, statement)).toBe(false);
  });
});
