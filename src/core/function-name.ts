/** Identifies one version of a function. */
export interface FunctionName {
  readonly service: string;
  readonly requestType: string;
  /** Null: unversioned. */
  readonly version: string | null;
}
