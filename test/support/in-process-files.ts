import { realpathSync } from 'node:fs';
import type { SessionAddress } from '../../src/protocol/address.js';
import { operationsOf } from '../../src/store/session-files/operations.js';
import type { OperationName, Operations } from '../../src/store/session-files/operations.js';
import { faultError, OperatedSessionFiles } from '../../src/store/session-files/operated-session-files.js';
import type { Busy, SessionOperation } from '../../src/store/session-files/operated-session-files.js';
import { faultOf } from '../../src/store/worker/serve.js';

export interface InProcessFilesOptions {
  /** An existing folder. */
  readonly dataDir: string;
  readonly now: () => number;
  readonly outboundMaxBytes?: number;
  /**
   * Called in the place of each operation, which `work` carries out at once; what it throws is a fault of the machine
   * and passes through `faultError`. `session` is null for `signatures`.
   */
  readonly around?: <T>(call: FilesCall, work: () => T) => Promise<T | Busy>;
}

export interface FilesCall {
  readonly operation: OperationName;
  readonly session: SessionAddress | null;
  /** Those of the operation. */
  readonly params: readonly unknown[];
}

/**
 * The operations that file workers carry out, on real files, in this process: for tests that must decide when each of
 * them happens. Nothing here ends a call that hangs.
 */
export class InProcessSessionFiles extends OperatedSessionFiles {
  readonly #operations: Operations;
  readonly #now: () => number;
  readonly #around: NonNullable<InProcessFilesOptions['around']>;

  constructor({ dataDir, now, outboundMaxBytes = 2 ** 30, around }: InProcessFilesOptions) {
    super();
    this.#operations = operationsOf({
      dataDir: realpathSync(dataDir),
      outboundMaxBytes,
      outOwner: undefined,
      attachments: { maxBytes: 64 * 1024 * 1024, max: 20 },
    });
    this.#now = now;
    // eslint-disable-next-line @typescript-eslint/require-await -- a throw is a rejection
    this.#around = around ?? (async (_call, work) => work());
  }

  override async signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    const found = await this.#around({ operation: 'signatures', session: null, params: [sessions] }, () =>
      carryOut('reading the signatures of session files', () => this.#operations.signatures(sessions)),
    );
    return 'kind' in found ? sessions.map(() => null) : found;
  }

  override folders(): Promise<readonly SessionAddress[]> {
    return Promise.resolve(this.#operations.folders());
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  protected override ask<Name extends SessionOperation>(
    session: SessionAddress,
    operation: Name,
    params: Parameters<Operations[Name]>,
  ): Promise<ReturnType<Operations[Name]> | Busy> {
    return this.#around({ operation, session, params }, () =>
      carryOut(`${operation} ${session}`, () => {
        const carry = this.#operations[operation] as (...values: unknown[]) => ReturnType<Operations[Name]>;
        return carry(...params);
      }),
    );
  }

  protected override now(): number {
    return this.#now();
  }

  protected override lost(): void {
    // Nobody is told in a test.
  }

  protected override leftBehind(): void {
    // Nor of this.
  }

  protected override undelivered(): void {
    // Nor of this.
  }
}

function carryOut<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw faultError(faultOf(error), what);
  }
}
