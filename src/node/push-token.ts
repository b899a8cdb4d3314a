import { libraryError } from "../core/errors.ts";

/**
 * What service nodes prove themselves with: one token, several of which each is good (while they are changed), or one
 * for each service.
 */
export type PushToken = string | readonly string[] | Readonly<Record<string, string>>;

/** One secret, and what a node that has it may serve. */
export interface ServiceToken {
  readonly secret: string;
  /** Null: every service. */
  readonly services: ReadonlySet<string> | null;
}

// Who has no token proves that it has none; sessions accept it on one machine only.
const noToken: readonly ServiceToken[] = [{ secret: "", services: null }];

/**
 * The tokens that a gateway accepts.
 *
 * @throws GenApiError `invalid_option` for a token, list or map that is empty
 */
export function serviceTokens(pushToken: PushToken | undefined): readonly ServiceToken[] {
  if (pushToken === undefined) return noToken;
  const tokens = isMap(pushToken)
    ? tokensByService(pushToken)
    : [pushToken].flat().map((secret) => ({ secret, services: null }));
  if (tokens.length === 0 || tokens.some(({ secret }) => secret === "")) {
    throw libraryError("invalid_option", "pushToken must hold at least one token, and none that is empty");
  }
  return tokens;
}

/** Whether these are the tokens of a gateway that has none. */
export function isOpen(tokens: readonly ServiceToken[]): boolean {
  return tokens === noToken;
}

/** Those of the services that a node with this token may not serve. */
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

function isMap(pushToken: PushToken): pushToken is Readonly<Record<string, string>> {
  return typeof pushToken === "object" && !Array.isArray(pushToken);
}
