export interface Random {
  /** A new unique, time-ordered id (UUID v7 text). */
  id(): string;
}
