import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP, isIPv6 } from "node:net";
import { hostNameOf } from "../core/net/host-name.ts";
import { isLoopbackHost } from "../core/net/loopback.ts";
import { readTarget } from "../core/net/request-target.ts";

/** Why the admin listener refuses a request. */
interface AdminRefusal {
  readonly status: 401 | 403;
  readonly reason: string;
}

/** The parts of a request that an {@link AdminGuard} checks. */
type GuardedRequest = Pick<IncomingMessage, "headers" | "headersDistinct" | "url">;

/**
 * Decides by a request's head whether it is admitted.
 * @returns null if it is
 */
export type AdminGuard = (request: GuardedRequest) => AdminRefusal | null;

/** The options of an {@link AdminGuard}. */
export interface AdminGuardOptions {
  readonly token: string;
  /** The host that it listens on; null for a socket in the file system. */
  readonly host: string | null;
  /** Further names by which it is reached. */
  readonly allowedHosts: readonly string[];
}

/**
 * Makes the guard of an admin listener. It checks the Host first: a web page whose own name resolves to this machine
 * (DNS rebinding) sends that name. Then the Origin: pages of other origins are refused; programs send none. Then the
 * token, in a time that does not reveal how much of it was right.
 */
export function adminGuard({ token, host, allowedHosts }: AdminGuardOptions): AdminGuard {
  const expected = digestOf(token);
  const names = new Set([...allowedHosts, ...(host === null ? [] : [host])].map(nameInHeaders));
  // Beyond loopback people use addresses, and an address cannot be rebound.
  const takesAddresses = host !== null && !isLoopbackHost(host);
  const isKnown = (name: string) =>
    isLoopbackHost(name) || names.has(name) || (takesAddresses && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0);

  return ({ headers, headersDistinct, url }) => {
    const { host: hosts = [], origin: origins = [] } = headersDistinct;
    const [given] = hosts;
    const name = hosts.length === 1 ? hostNameOf(given) : null;
    // If the target is a whole URL, its host is the valid one (RFC 9112, 3.2.2): both must be equal.
    const authority = readTarget(url).authority ?? given;
    if (name === null || !isKnown(name) || authority?.toLowerCase() !== given?.toLowerCase()) {
      return { status: 403, reason: "the Host is not one of this listener's names" };
    }
    if (origins.some((origin) => origin !== `http://${given}`)) {
      return { status: 403, reason: "web pages of other origins are refused" };
    }
    const { authorization } = headers;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (bearer === undefined) return { status: 401, reason: "no token: send Authorization: Bearer TOKEN" };
    return timingSafeEqual(digestOf(bearer), expected) ? null : { status: 401, reason: "wrong token" };
  };
}

/** The form that a host of the options has in headers. */
export function nameInHeaders(host: string): string | null {
  return hostNameOf(isIPv6(host) ? `[${host}]` : host);
}

// Of equal length for any input.
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
