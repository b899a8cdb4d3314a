import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { isLoopbackHost } from "../core/loopback.ts";

/** Why a request to the admin listener is not let in. */
interface AdminRefusal {
  readonly status: 401 | 403;
  readonly reason: string;
}

/** Decides by a request's headers whether it is let in. @returns null where it is */
export type AdminGuard = (headers: IncomingHttpHeaders) => AdminRefusal | null;

/** What an {@link AdminGuard} goes by. */
export interface AdminGuardOptions {
  readonly token: string;
  /** The host that it listens on; null for a socket in the file system. */
  readonly host: string | null;
  /** Further names that it is reached by. */
  readonly allowedHosts: readonly string[];
}

/**
 * Makes the guard of an admin listener. The Host is looked at first: a web page that has its own name resolve to this
 * machine (DNS rebinding) sends that name. Then the Origin: pages of other origins are refused, programs send none. Then
 * the token, in a time that does not tell how much of it was right.
 */
export function adminGuard({ token, host, allowedHosts }: AdminGuardOptions): AdminGuard {
  const expected = digestOf(token);
  const names = new Set([...allowedHosts, ...(host === null ? [] : [host])].map((name) => name.toLowerCase()));
  // Elsewhere than on loopback people use addresses; an address cannot be rebound.
  const takesAddresses = host !== null && !isLoopbackHost(host);
  const isKnown = (name: string) =>
    isLoopbackHost(name) || names.has(name) || (takesAddresses && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0);

  return ({ host: given, origin, authorization }) => {
    const name = hostnameOf(given);
    if (name === null || !isKnown(name)) return { status: 403, reason: "the Host is none that this listener has" };
    if (origin !== undefined && origin !== `http://${given}`) {
      return { status: 403, reason: "web pages of other origins are not let in" };
    }
    const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (bearer === undefined) return { status: 401, reason: "no token: send Authorization: Bearer TOKEN" };
    return timingSafeEqual(digestOf(bearer), expected) ? null : { status: 401, reason: "wrong token" };
  };
}

function hostnameOf(host: string | undefined): string | null {
  const url = `http://${host}`;
  return host === undefined || !URL.canParse(url) ? null : new URL(url).hostname;
}

// Of one length, whatever came.
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
