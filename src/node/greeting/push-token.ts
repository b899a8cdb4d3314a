import { libraryError } from "../../core/errors.ts";

/**
 * The secret by which service nodes prove who they are: one token, a list of equally valid tokens (for changing them),
 * or one token for each service.
 */
export type PushToken = string | readonly string[] | Readonly<Record<string, string>>;

/** A secret, and the services that a node with it may serve. */
export interface ServiceToken {
  readonly secret: string;
  /** Null: every service. */
  readonly services: ReadonlySet<string> | null;
}

// A node without a token proves that it has none; sessions accept this on one machine only.
const noToken: readonly ServiceToken[] = [{ secret: "", services: null }];

/**
 * The tokens that a gateway accepts.
 *
 * @throws GenApiError `invalid_option` for an empty token, list or map
 */
export function serviceTokens(pushToken: PushToken | undefined): readonly ServiceToken[] {
  if (pushToken === undefined) return noToken;
  const tokens = isByService(pushToken)
    ? tokensByService(pushToken)
    : [pushToken].flat().map((secret) => ({ secret, services: null }));
  if (tokens.length === 0 || tokens.some(({ secret }) => secret === "")) {
    throw libraryError("invalid_option", "pushToken must contain at least one token, and no empty one");
  }
  return tokens;
}

/** Whether these are the tokens of a gateway without any. */
export function isOpen(tokens: readonly ServiceToken[]): boolean {
  return tokens === noToken;
}

/** The services among these that a node with this token may not serve. */
export function forbiddenServices({ services: allowed }: ServiceToken, services: readonly string[]): readonly string[] {
  return allowed === null ? [] : services.filter((service) => !allowed.has(service));
}

function tokensByService(byService: Readonly<Record<string, string>>): ServiceToken[] {
  const services = new Map<string, Set<string>>();
  for (const [service, secret] of Object.entries(byService)) {
    services.set(secret, (services.get(secret) ?? new Set()).add(service));
  }
  return Array.from(services, ([secret, allowed]) => ({ secret, services: allowed }));
}

function isByService(pushToken: PushToken): pushToken is Readonly<Record<string, string>> {
  return typeof pushToken === "object" && !Array.isArray(pushToken);
}
