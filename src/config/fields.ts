type Rest<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Capitalize<Lowercase<Head>>}${Rest<Tail>}`
  : Capitalize<Lowercase<S>>;
type Camel<S extends string> = Uncapitalize<Rest<S>>;
/** Settings under the names of fields: `SWEEP_INTERVAL_MS` is `sweepIntervalMs`. */
export type Fields<T> = { readonly [Name in keyof T & string as Camel<Name>]: T[Name] };
