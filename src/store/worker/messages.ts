/** What is sent to a file worker, one at a time. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What comes back; `ready` once, when it has started. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: Fault };

/** An error of a file worker's, as far as it can be sent. */
export interface Fault {
  readonly message: string;
  readonly code: string | undefined;
  readonly path: string | undefined;
}
