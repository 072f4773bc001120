import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpServer } from '../../../src/http/server.js';
import { serveHttp } from '../../../src/http/server.js';
import { sessionPaths } from '../../../src/store/session-files/session-paths.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { runCli } from '../../support/cli.js';
import { rawControls, STEERING } from '../../support/control-characters.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { runSql } from '../../support/session-files-fixture.js';

let fixture: DeskFixture;
let server: HttpServer;

beforeEach(async () => {
  fixture = openDeskFixture();
  server = await serveHttp({ desk: fixture.desk });
  await cli('send', 'demo/first', 'hello', '--id', 'm');
  await fixture.look('demo/first');
});
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', fixture.dataDir]);
const paths = () => sessionPaths(fixture.dataDir, 'demo/first' as SessionAddress);

describe('F38: what a container wrote does not steer the terminal of whoever looks at it', () => {
  it('in the names of a file that is refused: what is wrong is one line, on stderr', async () => {
    runSql(paths().outbound, `CREATE INDEX "${STEERING}\nnightporter: all is well" ON messages_out (hex(id))`);
    const { code, stderr } = await cli('replies', 'demo/first');
    expect(code).toBe(5);
    expect(stderr).toMatch(/is on an expression/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(rawControls(stderr)).toEqual([]);
  });

  it('in JSON, which still says exactly what was written', async () => {
    const content = JSON.stringify({ text: STEERING });
    runSql(
      paths().outbound,
      `INSERT INTO messages_out (id, timestamp, kind, content) VALUES ('${STEERING}', '2030-01-01T00:00:00.000Z', 'chat', '${content}')`,
    );
    const { stdout } = await cli('replies', 'demo/first', '--json');
    expect(rawControls(stdout)).toEqual([]);
    expect(JSON.parse(stdout)).toMatchObject([{ id: STEERING, content: { text: STEERING } }]);
    const shown = await cli('replies', 'demo/first');
    expect(shown.stdout).toContain('owned');
    expect(rawControls(shown.stdout)).toEqual([]);
  });
});
